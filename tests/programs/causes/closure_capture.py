# SPDX-License-Identifier: MIT
# necropy: callbacks that capture what they do not need any more.
import service

SOURCE = '''
callbacks = []

def on_done(number):
    body = ["line %d of %d" % (line, number) for line in range(20)]

    def finish():
        return len(body)

    callbacks.append(finish)
'''


def main():
    service.start()
    tasks = service.module("shop.callbacks", SOURCE)
    for number in range(service.count(4000)):
        tasks.on_done(number)
    service.rest()


if __name__ == "__main__":
    main()
