# SPDX-License-Identifier: MIT
# necropy: a process full of objects whose repr() it knows.
"""Writes texts.json into its folder and waits to be dumped.

`exact`: the repr() of each object of a list (its address: `exact_list`), which necropy's text must equal.  `texts`:
patterns (regular expressions) of what necropy says of the objects of a list where repr() has an address or says less.  TEXTS_SEED seeds what is random.
"""
import array
import asyncio
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import json
import os
import pathlib
import random
import re
import socket
import struct
import sys
import threading
import time
import types
import typing
import uuid
import weakref

try:
    import zoneinfo
except ImportError:  # before 3.9
    zoneinfo = None
try:
    import sqlite3
except ImportError:
    sqlite3 = None

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
random.seed(int(os.environ.get("TEXTS_SEED", "20261121")))
exact, texts, patterns = [], [], []


def strings():
    yield from ("", "abc", "it's", 'say "x"', """both ' and \"""", "\\", "\n\r\t\x00\x1f\x7f\x80\x9b\xa0\xad", "äöü",
                "\u0378", "\u200b\u200e\u2028\u202e\u2066\ufeff", "日本語", "\U0001f600", "\ud800", "a\udc80b", "\udfff\U0010ffff",
                "\U0001f1e6" * 3, "x" * 1999, "é" * 5000, "\U00020000" * 3000, "'" * 10, '"' * 10, "\x00" * 10)
    yield "".join(map(chr, range(0x110000)))
    for _ in range(150):
        top = random.choice((0x7f, 0xff, 0x2ff, 0xffff, 0x10ffff))
        yield "".join(chr(random.randrange(top + 1)) for _ in range(random.randrange(60)))


class Text(str):
    pass


class Number(int):
    pass


class Row(list):
    pass


class Table(dict):
    pass


class Bag(set):
    pass


def binary():
    for data in (b"", b"abc", b"it's", b'"', b"'\"", bytes(range(256)), b"\\\n\r\t", os.urandom(500)):
        yield data
        yield bytearray(data)
    yield bytearray(b"abcdef" * 100)[3:]
    cut = bytearray(b"it's a buffer that loses its head")
    del cut[:3]
    yield cut


def numbers():
    yield from (0, 1, -1, 2**30 - 1, 2**30, -2**30, 2**60, 2**62, 2**63 - 1, 2**63, -2**63, -2**63 - 1, 2**64, 10**9,
                10**18, 10**19, 10**27, 10**100, -10**1000, 10**9999, 2**33000, True, False, None, Ellipsis, NotImplemented)
    for _ in range(120):
        yield random.choice((1, -1)) * random.getrandbits(random.choice((10, 31, 61, 64, 65, 200, 3000, 33000)))
    yield from (0.0, -0.0, 1.0, 1.5, 0.1, 1e5, 100000.0, 1e15, 1e16, 123456789012345680.0, 1e22, 1e-4, 1e-5, 0.00012345,
                5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), 1 / 3)
    for power in range(-1074, 1024, 7):
        yield 2.0 ** power
    for power in (-1017, -1007, -957, -921, -44, -1022, -1074, 1023):
        yield 2.0 ** power
    for _ in range(300):
        yield struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0]
        yield random.uniform(-1e6, 1e6)
        yield round(random.uniform(-1000, 1000), 2)
    for real in (0.0, -0.0, 1.0, -2.5, float("inf"), float("nan"), 1e20):
        for imaginary in (0.0, -0.0, 1.0, -2.5, float("inf"), float("nan"), 1e-9):
            yield complex(real, imaginary)


def decimals():
    for text in ("0", "-0", "1", "1.5", "-1.50", "0.000001", "0.0000001", "1E+3", "1E-10", "123456789012345678901234567890.12",
                 "Infinity", "-Infinity", "NaN", "sNaN", "NaN123", "0E+5", "0E-9", "1.20E+30", "9" * 60, "10000000000000000000",
                 "100000000000000000000000000000000000001"):
        yield decimal.Decimal(text)
    for _ in range(60):
        yield decimal.Decimal(random.getrandbits(random.choice((8, 64, 200)))).scaleb(random.randrange(-40, 40))
    yield fractions.Fraction(1, 3)
    yield fractions.Fraction(-22, 7)


Point = collections.namedtuple("Point", "x y")


class Named(typing.NamedTuple):
    name: str
    size: int = 3


@dataclasses.dataclass
class Data:
    number: int
    text: str = "x"
    hidden: int = dataclasses.field(default=5, repr=False)
    items: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    key: tuple


class Color(enum.Enum):
    RED = 1
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def cycles():
    ring = [1]
    ring.append(ring)
    yield ring
    inner = {}
    inner["self"] = inner
    yield inner
    pair = ([],)
    pair[0].append(pair)
    yield pair
    queue = collections.deque([1])
    queue.append(queue)
    yield queue
    order = collections.OrderedDict()
    order["me"] = order
    yield order
    # mutual
    one, two = [], {}
    one.append(two)
    two["one"] = one
    yield one
    yield two


def containers():
    yield from ([], [1], [1, 2, 3], (), (1,), (1, 2), {}, {"a": 1}, {1: "x", (2, 3): [4]}, set(), {1}, {1, 2, 3}, frozenset(),
                frozenset({1, 2}), {"x", "y", "zz"}, [[[[[]]]]], [None, True, 1.5, "s", b"b", (1,), {}], list(range(300)),
                {i: str(i) for i in range(300)}, set(range(1000)), Row([1, 2]), Table(a=1), Bag({1}), Text("it's"), Number(5),
                collections.deque(), collections.deque([1, 2, 3]), collections.deque(range(200), maxlen=150),
                collections.OrderedDict(), collections.OrderedDict([("a", 1), ("b", [2])]), collections.defaultdict(list),
                collections.defaultdict(None, {1: 2}), collections.defaultdict(int, {"x": 1}), collections.Counter(),
                collections.Counter("abracadabra"), collections.Counter(a=-1, b=2), Point(1, "y"), Named("n"), Named("n", 4),
                range(3), range(1, 10), range(10, 0, -2), range(10**30), slice(None), slice(1, 2, 3), slice("a", None),
                types.MappingProxyType({"a": 1}), types.SimpleNamespace(), types.SimpleNamespace(b=1, a="x"),
                time.gmtime(0), sys.version_info, sys.float_info, os.stat("/"), sys.flags,
                array.array("i"), array.array("i", [1, -2, 3]), array.array("Q", [2**64 - 1]), array.array("b", [-1]),
                array.array("d", [1.5, -0.0]), array.array("f", [0.1]), array.array("u", "it's ä"), array.array("H", [65535]),
                Data(1), Data(2, "y", items=[1]), Frozen((1, 2)), Color.RED, Color.BLUE, Level.HIGH)
    moved = collections.OrderedDict((i, i) for i in range(50))
    moved.move_to_end(3)
    moved.move_to_end(40, last=False)
    del moved[10]
    yield moved
    holes = {i: i for i in range(100)}
    for i in range(0, 100, 2):
        del holes[i]
    yield holes
    gaps = set(range(100))
    gaps -= set(range(0, 100, 3))
    yield gaps
    yield holes.keys()
    yield holes.values()
    yield {"a": 1}.items()
    yield moved.keys()
    yield moved.items()
    left = collections.deque(range(300))
    for _ in range(130):
        left.popleft()
    left.appendleft("first")
    yield left
    deep = []
    for _ in range(30):
        deep = [deep]
    yield deep


def errors():
    yield from (ValueError(), ValueError("x"), ValueError("x", 1), KeyError("k"), OSError(2, "No such file", "/nowhere"),
                UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), StopIteration(3), SystemExit(1), Exception([1, 2]))
    try:
        open("/nonexistent/file")
    except OSError as error:
        yield error


def dates():
    yield datetime.date(2024, 2, 29)
    yield datetime.datetime(1, 1, 1)
    yield datetime.datetime(2024, 12, 31, 23, 59)
    yield datetime.datetime(2024, 12, 31, 23, 59, 58)
    yield datetime.datetime(2024, 12, 31, 23, 59, 0, 7)
    yield datetime.datetime(2024, 12, 31, 23, 59, 58, 999999, tzinfo=datetime.timezone.utc)
    yield datetime.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    yield datetime.time(1, 2)
    yield datetime.time(1, 2, 3, 4, tzinfo=datetime.timezone.utc)
    yield datetime.time(0, 0, fold=1)
    yield datetime.timedelta()
    yield datetime.timedelta(-1, 5, 7)
    yield datetime.timedelta(days=3)
    yield datetime.timedelta(microseconds=3)
    yield datetime.timezone.utc
    yield datetime.timezone(datetime.timedelta(hours=-3), "it's")
    if zoneinfo:
        try:
            yield zoneinfo.ZoneInfo("Europe/Berlin")
        except Exception:
            pass


def library():
    yield uuid.UUID(int=5)
    yield uuid.UUID("12345678-9abc-def0-fedc-ba9876543210")
    yield uuid.uuid4()
    for path in (".", "/", "a", "/usr/lib", "a//b/./c", "/a/../b/", "//host/x", "it's"):
        yield pathlib.PurePosixPath(path)
        asked = pathlib.Path(path)
        str(asked)
        yield asked
    yield pathlib.PurePosixPath("a", "b", "/c", "d")
    yield pathlib.Path("/usr") / "lib" / "x.py"
    yield re.compile("a+")
    yield re.compile(b"it's", re.I | re.S)
    yield re.compile("x", re.ASCII | re.VERBOSE)
    for thing in (int, collections.OrderedDict, Data, type, enum.EnumMeta, len, int.__add__, str.join,
                  types.FunctionType.__code__, dict.fromkeys.__class__, json, os.path):
        yield thing
    yield functools.partial(len)
    yield functools.partial(int, "10", base=2)


class Plain:
    def __init__(self):
        self.number = 3
        self.name = "x"

    def method(self):
        pass

    @staticmethod
    def still():
        pass

    @property
    def shown(self):
        return 1


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self):
        self.left = 1


class Empty:
    pass


class Loud(dict):
    def __repr__(self):
        return "LOUD"


class Evil:
    pass


@functools.lru_cache(maxsize=3)
def cached(number):
    return [number]


def generate():
    yield 1
    yield 2


async def wait(future):
    await future


def others(folder):
    def pattern(thing, text):
        texts.append(thing)
        patterns.append(text)

    plain = Plain()
    pattern(plain, r"<__main__\.Plain number=3 name='x'>")
    pattern(Slotted(), r"<__main__\.Slotted left=1>")
    pattern(Empty(), r"<__main__\.Empty>")
    pattern(Loud(a=1), r"__main__\.Loud\(\{'a': 1\}\)")
    pattern(plain.method, r"<bound method Plain\.method of <__main__\.Plain number=3 name='x'>>")
    pattern(Plain.still, r"<function Plain\.still, \S*texts\.py:%d>" % Plain.still.__code__.co_firstlineno)
    pattern(Plain.shown, r"<property Plain\.shown>")
    pattern(Plain.__dict__["still"], r"<staticmethod\(<function Plain\.still, \S*texts\.py:\d+>\)>")
    pattern(Plain.still.__code__, r"<code (Plain\.)?still, \S*texts\.py:\d+>")
    for number in (1, 2, 2, 3, 4):
        cached(number)
    pattern(cached, r"<lru_cache of cached, maxsize=3, hits=1, misses=4, currsize=3>")
    new, begun, done = generate(), generate(), generate()
    next(begun)
    list(done)
    line = generate.__code__.co_firstlineno
    pattern(new, r"<generator generate, not started, \S*texts\.py:%d>" % line)
    pattern(begun, r"<generator generate, at \S*texts\.py:%d>" % (line + 1))
    pattern(done, r"<generator generate, finished>")
    pattern(begun.gi_frame, r"<frame generate, \S*texts\.py:%d>" % (line + 1))
    pattern(weakref.ref(plain), r"<weakref to __main__\.Plain at 0x%x>" % id(plain))
    pattern(weakref.ref(Empty()), r"<weakref, dead>")
    pattern(weakref.proxy(plain), r"<weakproxy to __main__\.Plain at 0x%x>" % id(plain))
    pattern((lambda: plain).__closure__[0], r"<cell of <__main__\.Plain number=3 name='x'>>")
    pattern([].append, r"<built-in method append of list object>")
    pattern((5).__add__, r"<method-wrapper '__add__' of int object>")
    path = os.path.join(folder, "opened.txt")
    file = open(path, "w+", encoding="utf-8")
    name = re.escape(path)
    pattern(file, r"<_io\.TextIOWrapper name='%s' mode='w\+' encoding='utf-8' fd=%d>" % (name, file.fileno()))
    pattern(file.buffer, r"<_io\.BufferedRandom name='%s' mode='rb\+' fd=%d>" % (name, file.fileno()))
    pattern(file.buffer.raw, r"<_io\.FileIO name='%s' mode='rb\+' fd=%d>" % (name, file.fileno()))
    closed = open(path, "rb")
    closed.close()
    pattern(closed, r"<_io\.BufferedReader name='%s' mode='rb' closed>" % name)
    pattern(io.BytesIO(b"12345"), r"<_io\.BytesIO of 5 bytes>")
    long = io.StringIO()
    long.write("abc")
    long.seek(0)
    long.read()
    pattern(long, r"<_io\.StringIO of \d characters>")
    sock = socket.socket()
    pattern(sock, r"<socket\.socket fd=%d family=AF_INET type=SOCK_STREAM proto=0>" % sock.fileno())
    free, taken, deep = threading.Lock(), threading.Lock(), threading.RLock()
    taken.acquire()
    pattern(free, r"<unlocked _thread\.lock>")
    pattern(taken, r"<locked _thread\.lock>")
    pattern(deep, r"<unlocked _thread\.RLock>")
    held = threading.RLock()
    held.acquire()
    pattern(held, r"<locked _thread\.RLock, owner=%d>" % threading.get_ident())
    thread = threading.Thread(target=time.sleep, args=(1000,), name="worker \x1b[31m", daemon=True)
    pattern(threading.Thread(name="idle"), r"<threading\.Thread 'idle', not started>")
    thread.start()
    pattern(thread, r"<threading\.Thread 'worker \\x1b\[31m', daemon, ident %d>" % thread.ident)
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    task = loop.create_task(wait(future))
    loop.run_until_complete(asyncio.sleep(0))
    pattern(future, r"<_asyncio\.Future pending>")
    pattern(task, r"<_asyncio\.Task 'Task-\d+' pending <coroutine wait, at \S*texts\.py:%d>>" %
            (wait.__code__.co_firstlineno + 1))
    pattern(memoryview(b"12345"), r"<memoryview of 5 bytes of a bytes>")
    pattern(3 * 10 ** 300000 + 123456, r"300000…123456 \(300001 digits\)")
    pattern(10 ** 300000 + 123456, r"an int \(about 300001 digits\)")
    pattern(-(7 ** 400000), r"-%s…%06d \(338040 digits\)" % (leading(7, 400000), pow(7, 400000, 10**6)))
    if sqlite3:
        pattern(sqlite3.connect(":memory:"), r"<sqlite3\.Connection, open>")
    try:
        raise ValueError("here")
    except ValueError as error:
        pattern(error.__traceback__, r"<traceback others, \S*texts\.py:%d>" % error.__traceback__.tb_lineno)
        pattern(error, r"ValueError\('here'\)")
    Evil.__name__ = Evil.__qualname__ = "Evil\x1b[31m\x9b\u202e"
    evil = Evil()
    setattr(evil, "attribute\x1b]0;\x9b\u202e", 1)
    pattern(evil, r"<__main__\.Evil\\x1b\[31m\\x9b\\u202e attribute\\x1b\]0;\\x9b\\u202e=1>")
    try:
        import numpy
    except ImportError:
        return
    pattern(numpy.zeros((3, 4)), r"<numpy\.ndarray \(3, 4\) float64>")
    pattern(numpy.array([1, 2], dtype="uint8"), r"<numpy\.ndarray \(2,\) uint8>")


def leading(base, power):
    import decimal as d
    with d.localcontext() as context:
        context.prec = 40
        return str(d.Decimal(base) ** power).replace(".", "")[:6]


def main():
    folder = os.getcwd()
    for source in (strings, binary, numbers, decimals, cycles, containers, errors, dates, library):
        exact.extend(source())
    others(folder)
    truth = {"exact": [repr(thing) for thing in exact], "exact_list": id(exact),
             "texts": patterns, "texts_list": id(texts)}
    with open("texts.json", "w") as out:
        json.dump(truth, out)
    print("ready", os.getpid(), flush=True)
    while True:
        time.sleep(1000)


main()
