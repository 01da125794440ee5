# SPDX-License-Identifier: MIT
# necropy: heaps of one shape and any size, for benchmarks: each is where an analyzer may turn quadratic.
"""heaps.py SHAPE OBJECTS FACTS: builds a heap of about so many objects, says in the file FACTS what it is, and waits.

FACTS, a JSON object: version; tracked, how many objects the collector knows; collect_seconds, the processor time of
gc.collect() with nothing to free, the best of three, here in the living process; and what a report must say:
types {name: count}, at_least {name: count}, holder and under (an object, and how many objects it retains at least),
far (an object to which there is a path), cycle (objects of the largest), frames (of all threads), rule (a finding).

The collector is on all the time, as in any service: built with it off, the same heap may cost it three times as much
(CPython 3.11), for then it has its objects in another order.

After a SIGUSR1 it asks itself with objgraph, where that can be imported, writes FACTS.objgraph and waits again.
"""
import ctypes
import gc
import json
import os
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("oracle", "programs"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), folder))
import oracle  # noqa: E402

HEAP = None  # what a shape holds
FAR = None  # the address of the object to which a path is asked for: a second reference would change the answer
FRAMES_DEEP = 10  # of each thread of `threads`, each task of `tasks`
PER_TASK = FRAMES_DEEP * 3 + 4  # a coroutine, a list and a float each; the task, its future and what hangs on them
STACK_BYTES = 64 << 10  # of each: tens of thousands are to fit
ROWS = 47  # floats in each frame of `recursion`: with the list, its level and the frame about 50 objects
PATIENCE = 60  # seconds for each question to objgraph
FRAME_BYTES = 1024  # of C stack that a Python call may take before 3.11


class Link:
    __slots__ = ("after", "number")


class Ring:
    __slots__ = ("before", "after")


class Thing:
    def __init__(self, number):
        self.number = number


class Slotted:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


class Hub:
    pass


def hold(heap, far, **facts):
    global HEAP, FAR
    HEAP, FAR = heap, id(far)
    return dict(facts, holder=hex(id(heap)), far=hex(id(far)))


def empty(objects):
    """The interpreter alone: what every report costs."""
    return hold([None], sys)


def service(objects):
    """Sessions, their trees with cycles, events, dicts, strings: tests/programs/service.py."""
    import service as program
    units = objects // program.PER_UNIT
    for number in range(units):
        session = program.Session(number)
        program.SESSIONS[session.key] = session
    return hold(program.SESSIONS, session.events[-1], under=units * 55,
                types={"service.Session": units, "service.Node": units * 4, "service.Event": units * 8})


def one_list(objects):
    """One list of floats."""
    heap = [float(number) for number in range(objects)]
    return hold(heap, heap[-1], under=objects, at_least={"float": objects})


def one_dict(objects):
    """One dict, integers to floats."""
    pairs = objects // 2
    heap = {number + 1000: float(number) for number in range(pairs)}
    return hold(heap, heap[pairs + 999], under=pairs * 2, at_least={"float": pairs, "int": pairs})


def chain(objects):
    """One linked list, as deep as it is long."""
    links, head = objects // 2, None
    for number in range(links):
        link = Link()
        link.after, link.number = head, number + 0.5
        if head is None:
            far = link
        head = link
    return hold(head, far, under=links * 2, types={"__main__.Link": links})


def ring(objects):
    """One cycle of all, linked in both directions."""
    first = Ring()
    first.before = first.after = last = first
    for _ in range(objects - 1):
        link = Ring()
        link.before, link.after, last.after, first.before = last, first, link, link
        last = link
    # Each is reached from the first, so the first dominates them.
    return hold(first, last, under=objects, types={"__main__.Ring": objects}, cycle=objects)


def instances(objects):
    """One type with many instances, which have a __dict__."""
    heap = [Thing(number + 0.5) for number in range(objects // 2)]
    return hold(heap, heap[-1], under=len(heap) * 2, types={"__main__.Thing": len(heap)})


def slots(objects):
    """One type with many instances, which have __slots__."""
    heap = [Slotted(number + 0.5) for number in range(objects // 2)]
    return hold(heap, heap[-1], under=len(heap) * 2, types={"__main__.Slotted": len(heap)})


def types(objects):
    """Many types, a tenth of the size, for each is some ten objects; each has an instance."""
    kinds = [type("Kind%d" % number, (), {}) for number in range(objects // 10)]
    heap = [kind() for kind in kinds]
    return hold(heap, heap[-1], under=len(heap), at_least={"type": len(heap)})


def _suspended(number):
    row = [number + 0.5]
    yield row


def generators(objects):
    """Many suspended generators, each with a list of its own."""
    heap = [_suspended(number + 1000) for number in range(objects // 4)]
    for each in heap:
        next(each)
    return hold(heap, heap[-1], under=len(heap) * 4, at_least={"generator": len(heap)})


async def _await_deep(level, future):
    row = [level + 0.5]
    if level < FRAMES_DEEP:
        await _await_deep(level + 1, future)
    else:
        await future
    return row


def tasks(objects):
    """Waiting asyncio tasks, each some coroutines deep: as many frames as tens of thousands of threads have."""
    import asyncio
    loop = asyncio.new_event_loop()
    heap = [loop.create_task(_await_deep(1, loop.create_future())) for _ in range(max(objects // PER_TASK, 2))]
    loop.run_until_complete(asyncio.sleep(0))
    return hold(heap, heap[-1], under=len(heap) * FRAMES_DEEP * 3, at_least={"coroutine": len(heap) * FRAMES_DEEP})


def hub(objects):
    """One object that all others refer to."""
    middle = Hub()
    heap = [(middle,) for _ in range(objects)]
    return hold(heap, middle, under=objects + 1, types={"__main__.Hub": 1}, at_least={"tuple": objects})


def strings(objects):
    """Equal strings, a thousand of each."""
    different = max(objects // 1000, 1)
    heap = ["the text number %d of many" % (number % different) for number in range(objects)]
    return hold(heap, heap[-1], under=objects, at_least={"str": objects}, rule="duplicate-values")


def _wait_deep(level, each, here, forever):
    row = [level + number / 7.0 for number in range(each)]
    if level < FRAMES_DEEP:
        _wait_deep(level + 1, each, here, forever)
    here.release()
    forever.acquire()
    return row


def threads(objects):
    """Threads, a thousandth of the size or as many as the machine starts, each some calls deep."""
    count = max(objects // 1000, 8)
    here, forever = threading.Semaphore(0), threading.Lock()
    forever.acquire()
    threading.stack_size(STACK_BYTES)
    arguments = (1, objects // count // FRAMES_DEEP, here, forever)
    heap = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=_wait_deep, args=arguments, daemon=True)
            thread.start()
            heap.append(thread)
            here.acquire()
    except RuntimeError:  # the machine has no more
        count = len(heap)
    return hold(heap, heap[-1], frames=count * FRAMES_DEEP, at_least={"float": count * FRAMES_DEEP * arguments[1]})


def recursion(objects):
    """Calls in calls, a fiftieth of the size deep; each holds a list."""
    return {"depth": max(objects // 50, 2)}


def _down(level, depth, path):
    row = [level + number / 7.0 for number in range(ROWS)]
    if level < depth:
        _down(level + 1, depth, path)
    else:
        _ready(path, hold(row, row[-1], frames=depth, at_least={"list": depth, "float": depth * ROWS}))
    return row


def _recurse(depth, path):
    sys.setrecursionlimit(depth + 1000)
    if sys.version_info >= (3, 11):  # such calls take no C stack
        _down(1, depth, path)
    threading.stack_size((depth * FRAME_BYTES + (16 << 20)) & ~0xfff)
    thread = threading.Thread(target=_down, args=(1, depth, path))
    thread.start()
    thread.join()


def _best_of_three(work):
    best = None
    for _ in range(3):
        started = time.process_time()
        work()
        seconds = time.process_time() - started
        best = seconds if best is None else min(best, seconds)
    return best


def _write(path, values):
    with open(path + ".part", "w") as out:
        json.dump(values, out)
    os.rename(path + ".part", path)


def _too_long(number, frame):
    raise TimeoutError


def _timed(work):
    """Its processor seconds; None when it takes too long."""
    started = time.process_time()
    signal.alarm(PATIENCE)
    try:
        work()
    except TimeoutError:
        return None
    finally:
        signal.alarm(0)
    return time.process_time() - started


def _ask_objgraph(path):
    values = {"patience": PATIENCE}
    try:
        import objgraph
    except ImportError:
        values["absent"] = True
    else:
        signal.signal(signal.SIGALRM, _too_long)
        far = ctypes.cast(FAR, ctypes.py_object).value
        values["types"] = _timed(objgraph.typestats)
        values["path"] = _timed(lambda: objgraph.find_backref_chain(far, objgraph.is_proper_module))
    _write(path + ".objgraph", values)
    os.write(1, b"ready\n")


def _ready(path, facts):
    gc.collect()
    facts.update(collect_seconds=_best_of_three(gc.collect), tracked=len(gc.get_objects()),
                 version="%d.%d.%d" % sys.version_info[:3])
    _write(path, facts)
    gc.collect()  # json's encoder leaves a cycle
    oracle.hold()


SHAPES = {"service": service, "list": one_list, "dict": one_dict, "chain": chain, "ring": ring, "instances": instances,
          "slots": slots, "types": types, "generators": generators, "tasks": tasks, "recursion": recursion, "hub": hub,
          "strings": strings, "threads": threads, "empty": empty}


def main():
    shape, objects, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGUSR1, lambda number, frame: _ask_objgraph(path))  # here: only the main thread may
    facts = SHAPES[shape](objects)
    if shape == "recursion":
        _recurse(facts["depth"], path)
    _ready(path, facts)


if __name__ == "__main__":
    main()
