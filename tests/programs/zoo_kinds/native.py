# SPDX-License-Identifier: MIT
# necropy: the zoo: memory that C owns: ctypes, mmap, capsules, shared memory.
import ctypes
import mmap
import sys

from zoo_kinds import animal


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int)]


class Node(ctypes.Structure):
    pass


Node._fields_ = [("next", ctypes.POINTER(Node)), ("thing", ctypes.py_object), ("point", Point),
                 ("name", ctypes.c_char_p), ("bits", ctypes.c_uint, 3)]


class Either(ctypes.Union):
    _fields_ = [("number", ctypes.c_long), ("text", ctypes.c_char * 8)]


class BigEndian(ctypes.BigEndianStructure):
    _fields_ = [("a", ctypes.c_uint16)]


@animal
def structures():
    first, second = Node(), Node()
    first.next = ctypes.pointer(second)
    first.thing = {"held": "by C"}
    first.name = b"a name that is kept"
    second.point.x = 5
    table = (Node * 3)()
    table[1].thing = ["in an array"]
    pointer = ctypes.pointer(table[2])
    return [first, second, table, pointer, pointer.contents, table[1].point, Either(5), BigEndian(1), Node.thing,
            ctypes.POINTER(Point), Point * 7]


@animal
def simple_data():
    buffer = ctypes.create_string_buffer(b"buffer", 100)
    wide = ctypes.create_unicode_buffer("wide")
    return [ctypes.c_int(5), ctypes.c_double(1.5), ctypes.c_char_p(b"text"), ctypes.c_wchar_p("wide"),
            ctypes.py_object([1]), ctypes.c_void_p(None), buffer, wide, ctypes.byref(ctypes.c_int(1)),
            ctypes.cast(buffer, ctypes.POINTER(ctypes.c_char)), (ctypes.c_int * 10)(*range(10)),
            Point.from_buffer(bytearray(8)), Point.from_buffer_copy(bytes(8)), ctypes.c_bool(True)]


@animal
def functions():
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_int)
    library = ctypes.CDLL(None)
    function = library.strlen
    function.argtypes, function.restype = [ctypes.c_char_p], ctypes.c_size_t
    function.errcheck = lambda result, function, arguments: result
    checked = library.abs
    checked.restype = lambda value: [value]
    return [prototype, prototype(lambda thing, number: number), library, function, checked, ctypes.pythonapi,
            ctypes.pythonapi.Py_IncRef, ctypes.CFUNCTYPE(None)(), ctypes.PYFUNCTYPE(ctypes.py_object)]


@animal
def maps():
    closed = mmap.mmap(-1, 4096)
    closed.close()
    anonymous = mmap.mmap(-1, 8192)
    exported = mmap.mmap(-1, 4096)
    return [anonymous, closed, exported, memoryview(exported)]


@animal
def shared_memory():
    from multiprocessing import heap
    return heap.BufferWrapper(100)


@animal
def capsules():
    import _socket
    made = [_socket.CAPI]
    for module, name in (("datetime", "datetime_CAPI"), ("unicodedata", "_ucnhash_CAPI"), ("pyexpat", "expat_CAPI")):
        made.append(getattr(__import__(module), name, None) or getattr(__import__("_datetime"), name, None))
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    made.append(new(16, b"zoo.capsule", None))
    return made


@animal
def terminal():
    import curses
    import termios
    return [curses.error, termios.error, sys.stdin, sys.stdout, sys.stderr, sys.__stdin__]


@animal
def instance_methods():
    """What Cython and SIP bind functions with."""
    new = ctypes.pythonapi.PyInstanceMethod_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.py_object]
    kind = type("Bound", (), {"method": new(lambda self: self)})
    return [new(len), kind(), kind().method]
