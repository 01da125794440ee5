# SPDX-License-Identifier: MIT
# necropy: a process with a little of everything and few imports: its core is small, so it can be damaged often.
"""Prints "ready" and waits to be dumped."""
import collections
import functools
import os
import sys
import threading
import weakref


class Plain:
    def __init__(self, number):
        self.number = number
        self.name = "plain %d" % number


class Slots:
    __slots__ = ("left", "right")


class Fancy(dict):
    pass


class Points(list):
    __slots__ = ("extra", "__weakref__")


@functools.lru_cache(maxsize=None)
def cached(number):
    return [number]


def generator(held):
    local = {"held": held}
    yield local
    yield held


async def coroutine(held):
    return held


def closure(held):
    def inner(default=held, *, keyword=("a", held)):
        return held, default, keyword
    return inner


def keep(number):
    slots = Slots()
    slots.left, slots.right = number, [number]
    fancy = Fancy(a=number)
    fancy.b = {number: "value"}
    points = Points([number, str(number)])
    points.extra = {number, "x", (number,)}
    running = generator(slots)
    next(running)
    try:
        raise ValueError(number)
    except ValueError as error:
        failure = error
    plain = Plain(number)
    plain.__dict__["more %d" % (number % 3)] = number
    return [slots, fancy, points, running, failure, plain, Plain(number), closure(number), weakref.ref(points),
            collections.deque(range(number % 200)), collections.OrderedDict.fromkeys(range(number % 20)),
            functools.partial(closure, number), cached(number), frozenset((number, 1)), 1 << number, str(number) * 9,
            "\u0434%d" % number, bytearray(number), memoryview(b"bytes"), slice(number), range(number), iter([number]),
            {"k": plain}.items(), closure(number).__get__(plain), property(closure), type("Made%d" % number, (Plain,), {}),
            collections.namedtuple("Tuple%d" % (number % 4), "a b")(number, plain), os.stat("/"), number / 7, 1j]


def wait(held):
    threading.Event().wait()


def main():
    if os.environ.get("MALLOC_ARENA_MAX") != "1":  # a second arena alone is 64 MB of core
        os.environ["MALLOC_ARENA_MAX"] = "1"
        os.execv(sys.executable, [sys.executable, "-S", os.path.abspath(__file__)])
    threading.stack_size(1 << 18)
    kept = [keep(number) for number in range(60)]
    waiting = coroutine(kept)
    threading.Thread(target=wait, args=(kept,), name="waiter", daemon=True).start()
    print("ready", flush=True)
    wait(waiting)


if __name__ == "__main__":
    sys.exit(main())
