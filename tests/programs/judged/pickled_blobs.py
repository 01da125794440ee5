# SPDX-License-Identifier: MIT
# necropy: pickled results in a dict: few objects, all large.
"""A result cache of 40 blobs of 400 kB."""
# expect: {"rule": "largest-holder|growing-container", "type": "^bytes$", "path": "^__main__\\.RESULTS", "count": 40}
import pickle

RESULTS = {}


def compute(number):
    return pickle.dumps([number + index for index in range(90000)])


def main():
    for number in range(40):
        RESULTS[("report", number)] = compute(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
