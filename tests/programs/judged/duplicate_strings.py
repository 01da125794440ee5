# SPDX-License-Identifier: MIT
# necropy: rows read from a file, with the same few strings over and over.
"""40 000 rows in a healthy table; the country's name of each is an object of its own."""
# expect: {"rule": "duplicate-values", "type": "^str$", "path": "^__main__\\.ROWS\\[\\*\\]\\.country", "count": null}
COUNTRIES = [b"United Kingdom of Great Britain", b"Federal Republic of Germany", b"Republic of South Africa"]
ROWS = []


class Row:
    __slots__ = ("number", "country")

    def __init__(self, number, country):
        self.number = number
        self.country = country


def main():
    for number in range(40000):
        ROWS.append(Row(number, COUNTRIES[number % 3].decode()))


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
