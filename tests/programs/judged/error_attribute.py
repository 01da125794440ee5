# SPDX-License-Identifier: MIT
# necropy: one exception on an attribute that pins a large local variable.
"""The last error is kept for the health page, and with it the frame that had the whole file in memory."""
# expect: {"rule": "retained-tracebacks", "type": "^__main__\\.ImportFailed$", "path": "^__main__\\.HEALTH\\.last_error", "count": 1}


class ImportFailed(Exception):
    pass


class Health:
    last_error = None


HEALTH = Health()


def import_file(path):
    records = [{"line": number, "text": "%s:%d" % (path, number)} for number in range(30000)]
    if records[-1]["line"] > 10:
        raise ImportFailed("record %d of %s is broken" % (len(records), path))


def main():
    try:
        import_file("orders.csv")
    except ImportFailed as error:
        HEALTH.last_error = error


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
