# SPDX-License-Identifier: MIT
# necropy: exceptions kept for a report that nobody reads, with all the frames they passed through
# expect: {"rule": "traceback|exception", "type": "ValueError|__main__.JobError", "path": "^__main__\\.failures", "count": 3000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

failures = []


class JobError(ValueError):
    pass


def convert(row):
    cells = [str(cell) * 3 for cell in row]
    raise JobError("bad row with %d cells" % len(cells))


def run(number):
    row = list(range(number, number + 30))
    payload = bytearray(500)
    try:
        convert(row)
    except JobError as error:
        failures.append(error)
    return len(payload)


for number in range(3000):
    run(number)


oracle.hold()
