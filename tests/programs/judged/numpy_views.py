# SPDX-License-Identifier: MIT
# necropy: small NumPy views that pin their large bases.
"""A thumbnail of each picture is a view of its corner: the picture stays."""
# expect: {"rule": "pinned-memory", "type": "^numpy\\.ndarray$", "path": "^__main__\\.CORNERS", "count": 40, "needs": "numpy"}
import numpy

CORNERS = {}


def main():
    for number in range(40):
        picture = numpy.full((400, 400), number, dtype="float32")
        CORNERS["picture%d" % number] = picture[:8, :8]


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
