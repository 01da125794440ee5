# SPDX-License-Identifier: MIT
# necropy: an audit trail that only grows: a list of dicts in a module.
import service

SOURCE = '''
records = []

def note(number):
    records.append({"id": number, "name": "user %d" % number, "at": number * 0.5})
'''


def main():
    service.start()
    audit = service.module("shop.audit", SOURCE)
    for number in range(service.count(30000)):
        audit.note(number)
    service.rest()


if __name__ == "__main__":
    main()
