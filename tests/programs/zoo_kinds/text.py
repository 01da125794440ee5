# SPDX-License-Identifier: MIT
# necropy: the zoo: numbers, strings, bytes, ranges, slices, memoryviews.
import ctypes
import decimal
import fractions
import sys

from zoo_kinds import animal


class IntSub(int):
    pass


class SlimInt(int):
    __slots__ = ()


class FloatSub(float):
    pass


class StrSub(str):
    pass


class SlimStr(str):
    __slots__ = ()


class BytesSub(bytes):
    pass


class ByteArraySub(bytearray):
    pass


class ComplexSub(complex):
    pass


@animal
def numbers():
    dressed = [IntSub(5), IntSub(2 ** 70), FloatSub(1.5), ComplexSub(1, 2)]
    for number in dressed:
        number.attribute = [number]
    return dressed + [0, -1, 255, 257, -6, 2 ** 29, 2 ** 30, 2 ** 31, -2 ** 30, 2 ** 60, 2 ** 64, -2 ** 64, 10 ** 400,
                      -10 ** 400, 1 << 100000, True, False, SlimInt(0), SlimInt(2 ** 40), IntSub(0), 0.0, 1e300,
                      float("nan"), float("inf"), 1j, complex("nan"), int("123456789012345678901234567890")]


@animal
def fancy_numbers():
    context = decimal.Context(prec=50)

    class DecimalSub(decimal.Decimal):
        pass

    subclass = DecimalSub("1.25")
    subclass.attribute = []
    return [decimal.Decimal(1), decimal.Decimal("1e-300"), context.divide(decimal.Decimal(1), decimal.Decimal(7)),
            decimal.Decimal(10 ** 500), decimal.Decimal("nan"), subclass, context, decimal.getcontext(),
            decimal.localcontext(), context.flags, context.traps, fractions.Fraction(1, 3),
            decimal.Decimal("1").as_tuple(), decimal.BasicContext.copy()]


@animal
def strings():
    latin, two, four = "caf\xe9 " * 3, "\u20ac uro" * 5, "\U0001f600 smile"
    cached = ["\xe9t\xe9 cached", "\u4e2d\u6587 cached", "ascii cached"]
    # PyUnicode_AsUTF8 leaves the UTF-8 form on the object.
    as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8
    as_utf8.restype, as_utf8.argtypes = ctypes.c_char_p, [ctypes.py_object]
    for text in cached:
        as_utf8(text)
    subclasses = [StrSub("ascii"), StrSub("\xe9\xe8"), StrSub("\u20ac"), StrSub("\U0001f600"), StrSub("")]
    for text in subclasses:
        text.attribute = ["on", text]
    return [latin, two, four, "", "a", "\xe9", "\xff", "\u0100", "x" * 100000, "\u20ac" * 1000, sys.intern("zoo interned"),
            cached, subclasses, SlimStr("slim"), SlimStr("\u20ac"), "".join(["joined", "\U0010ffff"]),
            "ascii from slice"[3:], b"decoded \xc3\xa9".decode(), chr(300)]


@animal
def legacy_strings():
    """wchar_t forms: only 3.11 and older keep them."""
    if sys.version_info >= (3, 12):
        raise NotImplementedError("gone in 3.12")
    as_unicode = ctypes.pythonapi.PyUnicode_AsUnicode
    as_unicode.restype, as_unicode.argtypes = ctypes.c_void_p, [ctypes.py_object]
    texts = ["wide form \xe9", "\u20ac wide", "wide ascii text", "\U0001f600 wide"]
    for text in texts:
        as_unicode(text)
    from_unicode = ctypes.pythonapi.PyUnicode_FromUnicode
    from_unicode.restype, from_unicode.argtypes = ctypes.py_object, [ctypes.c_wchar_p, ctypes.c_ssize_t]
    unready = from_unicode(None, 5)
    return [texts, unready, from_unicode("ready", 5)]


@animal
def byte_strings():
    spare = bytearray(b"x" * 1000)
    del spare[10:]
    shifted = bytearray(b"0123456789" * 100)
    del shifted[:700]
    subclass = BytesSub(b"sub")
    subclass.attribute = []
    array_subclass = ByteArraySub(b"sub")
    array_subclass.attribute = {}
    exported = bytearray(b"exported")
    return [b"", b"a", b"\xff", b"bytes" * 1000, bytearray(), bytearray(b"abc"), spare, shifted, subclass,
            array_subclass, exported, memoryview(exported)]


@animal
def views():
    released = memoryview(b"released")
    released.release()
    whole = memoryview(bytearray(range(256)))
    shaped = memoryview(bytes(48)).cast("i", shape=[3, 4])
    return [memoryview(b"abc"), whole, whole[10:20], whole[::2], shaped, released, whole.toreadonly(),
            memoryview((ctypes.c_int * 4)()), iter(whole)]


@animal
def ranges():
    return [range(0), range(10), range(10 ** 30), range(5, 10 ** 25, 7), slice(None), slice(1, [2], {}),
            slice("a", "b", "c"), Ellipsis, NotImplemented]
