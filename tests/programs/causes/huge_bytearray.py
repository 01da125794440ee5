# SPDX-License-Identifier: MIT
# necropy: one bytearray that only grows.
import service


def main():
    service.start()
    capture = service.module("net.capture", "buffer = bytearray()\n")
    for number in range(service.count(300000)):
        capture.buffer += b"frame %08d " % number + bytes(20)
    service.rest()


if __name__ == "__main__":
    main()
