# SPDX-License-Identifier: MIT
# necropy: a small service with a leak, a thread and garbage, for the golden files.
"""1 234 orders kept by a registry, 321 garbage pairs, one waiting thread."""
import gc
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402
from leak_bus import module  # noqa: E402

SOURCE = '''
class Order:
    def __init__(self, number):
        self.number = number
        self.note = "note %d " % number * 20
        self.items = [number + 1000000]


class Registry:
    def __init__(self):
        self.orders = {}


class Part:
    def __init__(self, other=None):
        self.other = other


registry = Registry()


def dispatch(never, basket):
    waiting = {"for": "ever"}
    never.wait()
    return waiting
'''


def main():
    gc.disable()
    module("small", "").__path__ = []
    shop = module("small.shop", SOURCE)
    for number in range(1234):
        shop.registry.orders["order-%d" % number] = shop.Order(number)
    gc.collect()
    for _ in range(321):
        one = shop.Part()
        one.other = shop.Part(one)
    del one
    threading.Thread(target=shop.dispatch, args=(threading.Event(), ["basket"]), name="dispatcher", daemon=True).start()
    time.sleep(0.3)
    oracle.hold()


if __name__ == "__main__":
    main()
