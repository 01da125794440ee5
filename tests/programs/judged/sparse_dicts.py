# SPDX-License-Identifier: MIT
# necropy: dicts that were large once and are nearly empty now.
"""Each shard keeps a table of jobs in flight; a peak made them large, pop() does not shrink them."""
# expect: {"rule": "sparse-containers", "type": "^dict$", "path": "^__main__\\.SHARDS", "count": 40}
SHARDS = [{} for _ in range(40)]


def main():
    for index, shard in enumerate(SHARDS):
        for number in range(5000):
            shard[number] = None
        for number in range(4990):
            shard.pop(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
