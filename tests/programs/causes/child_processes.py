# SPDX-License-Identifier: MIT
# necropy: child processes that nobody waits for, with their pipes.
import service

SOURCE = '''
import subprocess

class Converter:
    def __init__(self):
        self.children = []

    def convert(self, path):
        self.children.append(subprocess.Popen(["/bin/true", path], stdout=subprocess.PIPE))

converter = Converter()
'''


def main():
    service.start()
    convert = service.module("shop.convert", SOURCE)
    for number in range(service.count(120)):
        convert.converter.convert("image-%d.png" % number)
    service.rest()


if __name__ == "__main__":
    main()
