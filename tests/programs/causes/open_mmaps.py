# SPDX-License-Identifier: MIT
# necropy: mapped memory that is never unmapped.
import service

SOURCE = '''
import mmap

maps = {}

def load(name):
    maps[name] = mmap.mmap(-1, 65536)
'''


def main():
    service.start()
    tiles = service.module("shop.tiles", SOURCE)
    for number in range(service.count(400)):
        tiles.load("tile-%d" % number)
    service.rest()


if __name__ == "__main__":
    main()
