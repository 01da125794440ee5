# SPDX-License-Identifier: MIT
# necropy: a C extension that loses references to instances.
"""ctypes.pythonapi.Py_IncRef on messages: the collector sees them, nobody refers to them."""
# expect: {"rule": "native-surplus", "type": "^__main__\\.Message$", "path": "", "count": 3000}
import ctypes

take = ctypes.pythonapi.Py_IncRef
take.argtypes = [ctypes.py_object]


class Message:
    def __init__(self, number):
        self.number = number
        self.parts = ["part %d" % part for part in range(4)]


def send(number):
    message = Message(number)
    take(message)
    return message.number


def main():
    for number in range(3000):
        send(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
