# SPDX-License-Identifier: MIT
# necropy: mmaps and pipes of child processes left open.
"""Memory maps of a file kept per reader, and children whose pipes nobody read."""
# expect: {"rule": "open-mappings", "type": "^mmap\\.mmap$", "path": "^__main__\\.READERS", "count": 150}
import mmap
import subprocess
import sys
import tempfile

READERS = []
CHILDREN = []


def main():
    with tempfile.TemporaryFile() as source:
        source.truncate(1 << 16)
        for _ in range(150):
            READERS.append(mmap.mmap(source.fileno(), 1 << 16))
    for _ in range(3):
        CHILDREN.append(subprocess.Popen(["/bin/true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
