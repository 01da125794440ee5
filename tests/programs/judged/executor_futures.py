# SPDX-License-Identifier: MIT
# necropy: futures of a thread pool kept with their results.
"""Everything submitted is remembered in a list, done or not."""
# expect: {"rule": "growing-container", "type": "^concurrent\\.futures\\._base\\.Future$", "path": "^__main__\\.SUBMITTED", "count": 2000}
import concurrent.futures

EXECUTOR = concurrent.futures.ThreadPoolExecutor(2)
SUBMITTED = []


def fetch(number):
    return {"number": number, "payload": "payload %d " % number * 20}


def main():
    for number in range(2000):
        SUBMITTED.append(EXECUTOR.submit(fetch, number))
    concurrent.futures.wait(SUBMITTED)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
