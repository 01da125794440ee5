# SPDX-License-Identifier: MIT
# necropy: a process with tracemalloc on, and what tracemalloc itself says of it.
"""traced.py DEPTH [plain] [crash]: allocations of every kind that tracemalloc tells apart, with DEPTH frames of each traceback.

The truth is to the byte what is in the dumped process: a child that libc's fork() makes tells it, and the parent never
comes back from that fork(): a handler for forks, in C (pause()), stops it there, so that not one line of Python and not one
allocation lies between the copy and the dump.  The child's own only allocation is the list that _get_traces() returns: it
is the one trace of a line that the parent has never executed, and it is left out.  "plain": no memory of other domains.
"crash": the handler is no code, so that the parent dumps core there and then (newer C libraries block all signals in
fork(), it could not be told to later).
"""
import ctypes
import gc
import json
import os
import signal
import sys
import threading
import time
import tracemalloc
import _tracemalloc

DEPTH = int(sys.argv[1])
FOREIGN = "plain" not in sys.argv[2:]
OTHER_DOMAINS = (389047, 7)  # the first is NumPy's
OLD = 50


class Slotted:
    __slots__ = ("number", "texts")

    def __init__(self, number):
        self.number = number
        self.texts = ["text %d " % number * 60, "more of %d " % number * 60]


class Plain:
    def __init__(self, number):
        self.number = number
        self.items = list(range(number % 5))


old = [Slotted(number) for number in range(OLD)]  # before tracemalloc knows anything
gc.disable()
tracemalloc.start(DEPTH)


def make(kind, number):
    return kind(number)  # the site of them all


def deep(levels, number):
    if levels:
        return deep(levels - 1, number)
    return make(Slotted, number)


registry = [make(Slotted, number) for number in range(3000)]
plain = {"k%d" % number: make(Plain, number) for number in range(500)}
levels = [deep(number, number) for number in range(40)]  # more frames than are kept of them
for number in range(0, 3000, 3):  # freed again
    registry[number] = None
grown = []
for number in range(1000):  # reallocated
    grown.append(number * 1000003)
blob = bytearray(100000)
blob[50000:] = b""
# Several lines of the same size and count: their order is that of their places.
same_a = [bytes(1000 + number) for number in range(3)]
same_b = [bytes(1000 + number) for number in range(3)]
same_c = [bytes(1000 + number) for number in range(3)]
# File names beyond ASCII and beyond UTF-8, one that is no file at all, and names that only sort by code points.
strange = {}
for name in ("/srv/sch\u00f6n.py", "/srv/lost\udce9.py", "/srv/lost\udcea.py", "/srv/\U0001f40d.py", "/srv/\uffee.py", "<unknown>",
             "", "a b:7"):
    exec(compile("\n\nmade = [bytes(500 + i) for i in range(4)]", name, "exec"), strange.setdefault(name, {}))


def in_thread(box):
    box.append(make(Plain, 4))


box = []
thread = threading.Thread(target=in_thread, args=(box,))
thread.start()
thread.join()
while len(os.listdir("/proc/self/task")) > 1:  # it still frees what C code had, after its last line of Python
    time.sleep(0.01)
if FOREIGN:
    track = ctypes.pythonapi.PyTraceMalloc_Track
    track.argtypes = (ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t)
    for number in range(300):
        track(OTHER_DOMAINS[number % 2], 0x10000 + number * 64, 4096 + number)
    track(OTHER_DOMAINS[0], id(blob), 12345)  # an address that Python's own domain may have too

python, libc = ctypes.PyDLL(None), ctypes.CDLL(None)
libc.prctl(0x59616D61, ctypes.c_ulong(-1 & (2 ** 64 - 1)), 0, 0, 0)  # let the tests' gcore in
libc.__register_atfork.argtypes = (ctypes.c_void_p,) * 4
libc.__register_atfork(None, 1 if "crash" in sys.argv[2:] else ctypes.cast(libc.pause, ctypes.c_void_p).value, None, None)
os.environ["NECROPY_TRUTH"], parent = os.environ.get("NECROPY_TRUTH", "truth"), os.getpid()
shown = [registry[1], registry[2999], old[3], levels[0], levels[39], levels[3].texts, plain["k3"].items, blob, grown, same_b[1],
         plain["k7"]]
hoard = [[] for _ in range(1000)]  # no list is left for reuse: the next one is new


def copied(fork=python.fork, get_traces=_tracemalloc._get_traces):
    fork()
    return get_traces()


def write_truth(path):
    traces = copied()
    line = copied.__code__.co_firstlineno + 2
    kept = [trace for trace in traces if trace[2][0] != (copied.__code__.co_filename, line)]
    assert len(traces) - len(kept) <= 1, "the list of traces (from 3.14 on not even that), and nothing else"
    snapshot = tracemalloc.Snapshot(kept, tracemalloc.get_traceback_limit())
    truth = {"count": len(kept), "size": sum(trace[1] for trace in kept), "limit": snapshot.traceback_limit,
             "own": tracemalloc.get_tracemalloc_memory(), "statistics": {}, "objects": {}, "make": make.__code__.co_firstlineno + 1}
    for group in ("lineno", "filename", "traceback"):
        truth["statistics"][group] = [
            [str(row), row.size, row.count, [[frame.filename, frame.lineno] for frame in row.traceback]]
            for row in snapshot.statistics(group)]
    for thing in shown:
        found = tracemalloc.get_object_traceback(thing)
        truth["objects"][hex(id(thing))] = found and [[frame.filename, frame.lineno] for frame in found]
    with open(path + ".part", "w") as out:
        json.dump(truth, out)
    os.rename(path + ".part", path)


write_truth(os.environ["NECROPY_TRUTH"])
os.write(1, ("ready %d\n" % parent).encode())
signal.pause()
