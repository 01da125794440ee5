# SPDX-License-Identifier: MIT
# necropy: the zoo: iterators of everything, fresh, under way and exhausted; the whole of itertools.
import collections
import itertools
import os
import re

from zoo_kinds import animal


def three_stages(make):
    """Fresh, after one step, and run out (where that ever happens)."""
    fresh, started, spent = make(), make(), make()
    next(started, None)
    for _ in itertools.islice(spent, 1000):
        pass
    return [fresh, started, spent]


@animal
def over_containers():
    text, table, numbers = "t\u20ac\U0001f600", {"a": [1], "b": [2], 3: 4}, list(range(5))
    ordered = collections.OrderedDict(table)
    sources = [lambda: iter([[1], [2]]), lambda: reversed([[1], [2]]), lambda: iter(([1], [2])), lambda: iter("ascii"),
               lambda: iter(text), lambda: iter(b"ab"), lambda: iter(bytearray(b"ab")), lambda: iter({1, 2, "x"}),
               lambda: iter(frozenset([1, 2])), lambda: iter(table), lambda: iter(table.keys()),
               lambda: iter(table.values()), lambda: iter(table.items()), lambda: reversed(table),
               lambda: reversed(table.items()), lambda: reversed(table.values()), lambda: iter(range(3)),
               lambda: iter(range(10 ** 20, 10 ** 20 + 3)), lambda: reversed(range(4)),
               lambda: iter(collections.deque([[1], [2]])), lambda: reversed(collections.deque([[1], [2]])),
               lambda: iter(ordered), lambda: iter(ordered.items()), lambda: reversed(ordered),
               lambda: iter(ordered.values()), lambda: iter(numbers.copy), lambda: iter(memoryview(b"abc")),
               lambda: reversed(text)]
    made = []
    for source in sources:
        try:
            made.append(three_stages(source))
        except TypeError:
            pass
    return made


class Sequence:
    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index > 2:
            raise IndexError
        return [index]


@animal
def over_protocols():
    counter = itertools.count()
    return [three_stages(make) for make in (
        lambda: iter(Sequence()), lambda: reversed(Sequence()), lambda: iter(lambda: next(counter), 5),
        lambda: enumerate("abc"), lambda: enumerate([[1]], 10 ** 30), lambda: zip([[1]], "ab", (1, 2)),
        lambda: map(str, [1, 2]), lambda: map(max, [1, 2], [3, 4]), lambda: filter(None, [0, [1]]),
        lambda: filter(len, ["", "a"]), lambda: re.finditer("a", "banana"))]


@animal
def of_itertools():
    makers = {
        "count": lambda: itertools.count(), "count_big": lambda: itertools.count(10 ** 30, 3),
        "count_float": lambda: itertools.count(1.5, 0.25), "cycle": lambda: itertools.cycle([[1], [2]]),
        "repeat": lambda: itertools.repeat([1], 3), "repeat_forever": lambda: itertools.repeat({}),
        "accumulate": lambda: itertools.accumulate([1, 2, 3]),
        "accumulate_function": lambda: itertools.accumulate([[1], [2]], lambda one, two: one + two, initial=[]),
        "batched": lambda: itertools.batched([[1], [2], [3]], 2), "chain": lambda: itertools.chain([1], (2,), "three"),
        "chain_iterable": lambda: itertools.chain.from_iterable([[1], [[2]]]),
        "compress": lambda: itertools.compress([[1], [2]], [1, 0]),
        "dropwhile": lambda: itertools.dropwhile(len, [[1], []]),
        "filterfalse": lambda: itertools.filterfalse(None, [0, [], [1]]),
        "groupby": lambda: itertools.groupby([1, 1, 2]), "groupby_key": lambda: itertools.groupby(["a", "bb"], len),
        "islice": lambda: itertools.islice([[1], [2], [3]], 1, 3), "pairwise": lambda: itertools.pairwise([[1], [2], [3]]),
        "starmap": lambda: itertools.starmap(max, [(1, 2), (3, 4)]),
        "takewhile": lambda: itertools.takewhile(len, [[1], []]), "tee": lambda: itertools.tee([[1], [2]])[0],
        "zip_longest": lambda: itertools.zip_longest([[1]], "ab", fillvalue=[]),
        "product": lambda: itertools.product("ab", [[1], [2]], repeat=2),
        "permutations": lambda: itertools.permutations([[1], 2, 3], 2),
        "combinations": lambda: itertools.combinations([[1], 2, 3], 2),
        "combinations_wr": lambda: itertools.combinations_with_replacement([[1], 2], 2)}
    made = {}
    for name, make in makers.items():
        try:
            made[name] = three_stages(make)
        except (AttributeError, TypeError):  # younger than this interpreter
            pass
    return made


@animal
def groups_and_tees():
    grouped = itertools.groupby([1, 1, 2, 2])
    key, group = next(grouped)
    next(group)
    one, two = itertools.tee(iter([number] for number in range(300)))
    for _ in range(150):
        next(one)
    return [grouped, group, key, one, two, itertools.tee(one, 3)]


@animal
def of_the_system():
    scan = os.scandir("/")
    entry = next(scan)
    walk = os.walk("/proc/self/fd")
    next(walk)
    return [scan, entry, walk]
