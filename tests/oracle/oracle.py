# SPDX-License-Identifier: MIT
# necropy: what a living interpreter says about its own heap, written down beside its dump.
"""The live oracle.

A program builds its heap and calls hold().  A forked child, whose heap is the parent's to the byte and at the same
addresses, writes down gc.get_objects() closed under gc.get_referents(): address, type, sys.getsizeof, referents with
their multiplicity.  The parent meanwhile only waits, so that a dump of it shows the very heap that the child described.

Two things make the copy exact.  The fork is libc's own, called with the GIL held: os.fork() would run at-fork hooks and
clear the other threads' states, that is, change the heap that we are to describe.  And the walk keeps everything it
makes in the locals of a running function, which no object refers to from 3.11 on; before that frames are objects,
and the running ones are excluded by address.

Truth file: one line of JSON (see _write), then arrays, native byte order: addresses u64[n], type indices u32[n],
sizes i64[n] (-1: decided by Python code, no analyzer can know), flags u8[n] (1: tracked), out-degrees u32[n],
referents u64[m].
"""
import array
import ctypes
import gc
import json
import os
import signal
import sys
import time

_PR_SET_PTRACER = 0x59616D61
_python = ctypes.PyDLL(None)
_fork = _python.fork
_fork.restype = ctypes.c_int
_module_of = type.__dict__["__module__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__
_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__
_c_callables = (type(object.__dict__["__sizeof__"]), type(object.__dict__["__init__"]))


def _type_name(kind):
    """module.qualname without builtins; no metaclass gets a say."""
    try:
        module = _module_of(kind)
    except AttributeError:
        module = "builtins"
    name = _qualname_of(kind)
    if not isinstance(module, str) or module == "builtins":
        return name
    return module + "." + name


def _size_is_python(kind):
    """Is sys.getsizeof decided by Python code for instances of this type?"""
    for base in _mro_of(kind) or ():  # None: a static type that nobody readied
        method = _dict_of(base).get("__sizeof__")
        if method is not None:
            return not isinstance(method, _c_callables)
    return False


def _size(thing, kinds):
    kind = type(thing)
    python = kinds.get(id(kind))
    if python is None:
        python = kinds[id(kind)] = _size_is_python(kind)
    if python:
        return -1
    try:
        return sys.getsizeof(thing)
    except Exception:
        return -1


def _without(things, excluded):
    kept = []
    for thing in things:
        if id(thing) not in excluded:
            kept.append(thing)
    return kept


def _walk():
    """Everything reachable; called in the child only.  No closure in here: its cells would be objects of the child."""
    gc.disable()
    things = gc.get_objects()
    excluded = {id(things)}
    if sys.version_info < (3, 11):
        frame = sys._getframe()
        while frame is not None:
            excluded.add(id(frame))
            frame = frame.f_back
    things, kinds, sizes = _without(things, excluded), {}, array.array("q")
    # Sizes of tracked objects first: BytesIO counts its buffer only while nobody else holds it, and the closure will.
    for thing in things:
        sizes.append(_size(thing, kinds))
    addresses = array.array("Q", map(id, things))
    seen = set(addresses)
    degrees, edges = array.array("I"), array.array("Q")
    referents_of = gc.get_referents
    index = 0
    while index < len(things):
        count = 0
        for referent in referents_of(things[index]):
            address = id(referent)
            if address in excluded:
                continue
            edges.append(address)
            count += 1
            if address not in seen:
                seen.add(address)
                addresses.append(address)
                things.append(referent)
        degrees.append(count)
        index += 1
    for index in range(len(sizes), len(things)):
        sizes.append(_size(things[index], kinds))
    flags = array.array("B", map(gc.is_tracked, things))
    # Keyed by address: a metaclass may define __hash__.
    names, known, ordinals = [], {}, array.array("I")
    for thing in things:
        kind = type(thing)
        ordinal = known.get(id(kind))
        if ordinal is None:
            ordinal = known[id(kind)] = len(names)
            names.append(_type_name(kind))
        ordinals.append(ordinal)
    return names, addresses, ordinals, sizes, flags, degrees, edges


def _write(path):
    started = time.time()
    types, addresses, ordinals, sizes, flags, degrees, edges = _walk()
    header = {"version": list(sys.version_info[:3]), "objects": len(addresses), "references": len(edges),
              "seconds": round(time.time() - started, 2), "types": types}
    with open(path + ".part", "wb") as out:
        out.write(json.dumps(header).encode() + b"\n")
        for part in (addresses, ordinals, sizes, flags, degrees, edges):
            out.write(part.tobytes())
    os.rename(path + ".part", path)


def _collect(path):
    """The collector's own verdict on the same heap, and what a collection costs."""
    before = len(gc.garbage)
    started = time.perf_counter()
    found = gc.collect()
    first = time.perf_counter() - started
    verdict = {"collect": found, "garbage_growth": len(gc.garbage) - before, "first_seconds": first}
    times = []
    for _ in range(5):
        started = time.perf_counter()
        gc.collect()
        times.append(time.perf_counter() - started)
    verdict["seconds"] = sorted(times)[2]
    with open(path + ".part", "w") as out:
        json.dump(verdict, out)
    os.rename(path + ".part", path)


def _in_child(work, path):
    pid = _fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(300)
            work(path)
            status = 0
        except BaseException as error:
            os.write(2, ("oracle: %s: %r\n" % (work.__name__, error)).encode())
        os._exit(status)
    if os.waitpid(pid, 0)[1] != 0:
        os.write(2, b"oracle: the child failed\n")
        os._exit(1)


def hold():
    """Write the truths that the environment asks for, say "ready PID", and wait to be dumped.

    NECROPY_TRUTH: the file for the heap; NECROPY_COLLECT: the file for the collector's verdict.
    """
    heap, verdict = os.environ.get("NECROPY_TRUTH"), os.environ.get("NECROPY_COLLECT")
    line = ("ready %d\n" % os.getpid()).encode()
    # Where Yama restricts ptrace, let the tests' gcore in.
    _python.prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1 & (2 ** 64 - 1)), 0, 0, 0)
    # Waiting threads must not ask the child for the GIL: it would hand it over to a thread that it does not have.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e6)
    if heap:
        _in_child(_write, heap)
    if verdict:
        _in_child(_collect, verdict)
    sys.setswitchinterval(interval)
    os.write(1, line)
    while True:
        signal.pause()
