# SPDX-License-Identifier: MIT
# necropy: a cache written as collections.UserDict.
"""Thumbnails by path; UserDict keeps them in its attribute data."""
# expect: {"rule": "growing-container", "type": "^bytes$", "path": "^__main__\\.THUMBNAILS\\.data", "count": 600}
import collections


class ThumbnailCache(collections.UserDict):
    def render(self, path):
        if path not in self:
            self[path] = bytes([len(self) % 256]) * 30000
        return self[path]


THUMBNAILS = ThumbnailCache()


def main():
    for number in range(600):
        THUMBNAILS.render("/images/%04d.png" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
