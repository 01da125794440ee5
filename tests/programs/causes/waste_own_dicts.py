# SPDX-License-Identifier: MIT
# necropy: instances that lost the table of names that they could share.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402



class Record:
    """Attributes written past setattr: each instance gets a table of its own."""

    def __init__(self, **values):
        self.__dict__ = dict(values)


records = [Record(name="name", city="city", street="street", number=number) for number in range(20000)]
oracle.hold()
