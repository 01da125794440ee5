# SPDX-License-Identifier: MIT
# necropy: a C extension that takes a reference to each string and never gives it back.
"""ctypes.pythonapi.Py_IncRef on strings that Python then forgets."""
# expect: {"rule": "native-surplus", "type": "^str$", "path": "", "count": 8000}
import ctypes

take = ctypes.pythonapi.Py_IncRef
take.argtypes = [ctypes.py_object]


def parse(number):
    token = "token-%d-of-the-stream" % number
    take(token)
    return len(token)


def main():
    for number in range(8000):
        parse(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
