# SPDX-License-Identifier: MIT
# necropy: a table with the same few words read from a file again and again
# expect: {"rule": "duplicate|string", "type": "str", "path": null, "count": null}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

CITIES = b"Amsterdam;Rotterdam;The Hague;Utrecht;Eindhoven;Groningen"


class Address:
    __slots__ = ("street", "city", "country")


book = []
for number in range(30000):
    address = Address()
    address.street = "Street %d" % number
    address.city = (CITIES.split(b";")[number % 6]).decode() + " in the Netherlands"
    address.country = b"Kingdom of the Netherlands".decode()
    book.append(address)


oracle.hold()
