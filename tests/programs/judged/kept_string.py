# SPDX-License-Identifier: MIT
# necropy: a transcript built with += and kept.
"""One str of 12 MB on an attribute."""
# expect: {"rule": "large-object", "type": "^str$", "path": "^__main__\\.CHAT\\.transcript", "count": 1}


class Chat:
    transcript = ""


CHAT = Chat()


def main():
    text = ""
    for number in range(200000):
        text += "user%d: and this is message number %d of the day\n" % (number % 7, number)
    CHAT.transcript = text


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
