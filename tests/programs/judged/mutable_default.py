# SPDX-License-Identifier: MIT
# necropy: the mutable default argument.
"""def handle(item, batch=[]): each item ever handled is in the function's defaults."""
# expect: {"rule": "growing-container", "type": "^dict$", "path": "^__main__\\.handle\\.__defaults__", "count": 8000}


def handle(item, batch=[]):
    batch.append(item)
    return len(batch)


def main():
    for number in range(8000):
        handle({"number": number, "label": "item %d" % number})


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
