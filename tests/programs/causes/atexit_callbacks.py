# SPDX-License-Identifier: MIT
# necropy: atexit callbacks, one a request.
import service

SOURCE = '''
import atexit

class Upload:
    def __init__(self, number):
        self.number = number
        self.chunks = ["chunk %d.%d" % (number, part) for part in range(8)]
        atexit.register(self.close)

    def close(self):
        self.chunks.clear()
'''


def main():
    service.start()
    uploads = service.module("shop.uploads", SOURCE)
    for number in range(service.count(4000)):
        uploads.Upload(number)
    service.rest()


if __name__ == "__main__":
    main()
