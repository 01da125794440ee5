# SPDX-License-Identifier: MIT
# necropy: objects of which it is known how many references hold them.
"""Each class has one object; its name says how many references must go before it is freed."""
import gc
import os
import sys
import threading  # knows the name of the thread

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402


class One:
    """In a list."""


class OneInFront:
    """Twice in a list, and that list, from two fields, in an object that is held once."""


class OneAndGarbage:
    """In a list, and in a cycle that waits for the collector, and refers to itself."""


class Three:
    """A module's attribute, a value in a dict, a local."""


class Many:
    """In twenty lists."""


class Box:
    """Holds."""


class Crowd:
    """A thousand, each in a list and in a dict."""


LOG = [One(), OneAndGarbage()]
BOX = Box()
THREE = Three()
TABLE = {"three": THREE}
LISTS = [[] for _ in range(20)]
NAMES = {"list %d" % number: made for number, made in enumerate(LISTS)}  # keeps them when LISTS goes
globals().update(("LIST_%d" % number, made) for number, made in enumerate(LISTS))
CROWD = [Crowd() for _ in range(1000)]
BY_NUMBER = dict(enumerate(CROWD))


def main():
    local = THREE
    gc.collect()
    gc.disable()
    BOX.items = BOX.others = [OneInFront()] * 2
    LOG[1].self = LOG[1]
    junk = Box()
    junk.self, junk.log = junk, LOG[1]
    del junk
    many = Many()
    for made in LISTS:
        made.append(many)
    del many, made
    oracle.hold()
    return local, threading


if __name__ == "__main__":
    main()
