# SPDX-License-Identifier: MIT
# necropy: the zoo: tuples, lists, dicts in all their forms, sets, deques, ordered and default dicts.
import array
import collections
import queue
import types

from zoo_kinds import animal, rubbish


@animal
def tuples():
    shared = ("shared", [])
    nested = ()
    for _ in range(2000):
        nested = (nested,)
    return [(), (1,), (1, "two", 3.0, None), tuple(range(1000)), (shared, shared, shared), nested, tuple([[]])]


@animal
def lists():
    spare = list(range(100))
    del spare[3:]
    grown = []
    for number in range(37):
        grown.append(number * 1000)
    itself = []
    itself.append(itself)
    cleared = [1, 2, 3]
    cleared.clear()
    return [[], [None], spare, grown, itself, cleared, [[]] * 50, list("abc"), [0] * 10000]


class DictSubclass(dict):
    pass


class SlottedDict(dict):
    __slots__ = ("extra", "hole")


class MissingDict(dict):
    def __missing__(self, key):
        return key


@animal
def dicts_combined():
    unicode_only = {"key%d" % number: [number] for number in range(20)}
    mixed = {1: "one", "two": 2, (3, 4): [5], None: {}, 1.5: b"x", frozenset([1]): set()}
    became_general = {"a": 1, "b": [2]}
    became_general[7] = "seven"
    came_back = {"a": 1, 3: 4}
    del came_back[3]
    return [{}, dict(), unicode_only, mixed, became_general, came_back, {"one": None}]


@animal
def dicts_with_deletions():
    half = {str(number): number * 1000 for number in range(200)}
    for number in range(0, 200, 2):
        del half[str(number)]
    general = {number: [number] for number in range(300)}
    for number in range(0, 299):
        del general[number]
    popped = {"a": 1, "b": 2}
    popped.popitem()
    emptied = {"a": []}
    del emptied["a"]
    cleared = {"a": []}
    cleared.clear()
    return [half, general, popped, emptied, cleared]


@animal
def dicts_huge():
    """Index tables of one, two and four bytes an entry."""
    return [{number: None for number in range(size)} for size in (5, 85, 86, 200, 20000, 50000)] + [
        {"n%d" % number: number for number in range(45000)}, dict.fromkeys(range(100000))]


@animal
def dict_subclasses():
    plain = DictSubclass(a=1, b=[2])
    plain.attribute = "on a dict"
    slotted = SlottedDict(a=1)
    slotted.extra = ["slot"]
    missing = MissingDict(x=[])
    missing["y"]
    counter = collections.Counter("a long sentence with letters")
    default = collections.defaultdict(list, {"k": [1]})
    default["new"].append(2)
    nested = collections.defaultdict(lambda: collections.defaultdict(set))
    nested["a"]["b"].add("c")
    chain = collections.ChainMap({"a": 1}, {"b": [2]})
    user = collections.UserDict(a=[1])
    return [plain, slotted, missing, counter, default, nested, chain, user, collections.UserList([1, [2]]),
            collections.UserString("user"), DictSubclass(), collections.defaultdict()]


@animal
def dict_views():
    table = {"a": [1], "b": [2]}
    ordered = collections.OrderedDict(table)
    return [table.keys(), table.values(), table.items(), ordered.keys(), ordered.values(), ordered.items(),
            types.MappingProxyType(table), types.MappingProxyType(DictSubclass(x=[]))]


@animal
def ordered_dicts():
    full = collections.OrderedDict((str(number), [number]) for number in range(50))
    deleted = collections.OrderedDict((number, [number]) for number in range(50))
    for number in range(0, 50, 3):
        del deleted[number]
    deleted.move_to_end(1)
    deleted.move_to_end(40, last=False)

    class Ordered(collections.OrderedDict):
        pass

    subclass = Ordered(a=1)
    subclass.note = ["attribute"]
    attributed = collections.OrderedDict(z=[])
    return [collections.OrderedDict(), full, deleted, subclass, attributed, Ordered()]


@animal
def sets():
    shrunk = set(range(1000))
    shrunk -= set(range(10, 1000))

    class SetSubclass(set):
        pass

    class FrozenSubclass(frozenset):
        __slots__ = ("slot",)

    subclass = SetSubclass("abc")
    subclass.attribute = []
    frozen = FrozenSubclass([1, (2,)])
    frozen.slot = ["s"]
    return [set(), {1}, {"a", "b", (1, 2)}, set(range(5000)), shrunk, frozenset(), frozenset("xyz"),
            frozenset(map(str, range(100))), subclass, frozen, {frozenset([frozenset()])}]


@animal
def deques():
    wrapped = collections.deque(maxlen=100)
    for number in range(357):
        wrapped.append([number])
    left = collections.deque()
    for number in range(200):
        left.appendleft((number, []))
    rotated = collections.deque(map(str, range(300)))
    rotated.rotate(77)
    drained = collections.deque(range(500))
    while len(drained) > 3:
        drained.popleft()

    class DequeSubclass(collections.deque):
        pass

    subclass = DequeSubclass([[]])
    subclass.attribute = []
    return [collections.deque(), collections.deque([[]]), wrapped, left, rotated, drained, subclass,
            collections.deque(maxlen=0)]


@animal
def named_tuples():
    point = collections.namedtuple("Point", "x y", defaults=[[]])

    class Sub(point):
        pass

    class Slim(point):
        __slots__ = ()

    sub = Sub([1])
    sub.note = []
    return [point([1], 2), sub, Slim(1, 2), point]


@animal
def queues():
    import heapq
    simple = queue.SimpleQueue()
    fifo, priority, lifo = queue.Queue(), queue.PriorityQueue(), queue.LifoQueue(maxsize=5)
    for number in range(20):
        simple.put([number])
        fifo.put([number])
        priority.put((20 - number, []))
    simple.get()
    lifo.put({"a": 1})
    heap = [[number % 7, []] for number in range(50)]
    heapq.heapify(heap)
    return [simple, queue.SimpleQueue(), fifo, priority, lifo, heap]


@animal
def arrays():
    numbers = array.array("d", range(100))
    numbers.pop()

    class ArraySubclass(array.array):
        pass

    subclass = ArraySubclass("b", b"abc")
    subclass.attribute = []
    return [numbers, array.array("i"), array.array("u", "text"), subclass, iter(array.array("h", [1, 2]))]


@rubbish
def cycles():
    """Garbage of several shapes; the collector's verdict on it is part of the truth."""
    for _ in range(40):
        one, two = [], {}
        one.append(two)
        two["one"] = one
    itself = []
    itself.append(itself)
    tree = DictSubclass()
    tree.children = [DictSubclass(parent=tree) for _ in range(5)]
