# SPDX-License-Identifier: MIT
# necropy: exceptions that are kept for later, with their tracebacks, frames and locals.
import service

SOURCE = '''
class BadRow(ValueError):
    pass

errors = []

def parse(line):
    fields = [line + str(column) for column in range(20)]
    if len(fields) != 21:
        raise BadRow("row has %d fields" % len(fields))

def load(number):
    buffer = "line %d " % number
    try:
        parse(buffer)
    except BadRow as error:
        errors.append(error)
'''


def main():
    service.start()
    source = service.module("shop.imports", SOURCE)
    for number in range(service.count(4000)):
        source.load(number)
    service.rest()


if __name__ == "__main__":
    main()
