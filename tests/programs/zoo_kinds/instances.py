# SPDX-License-Identifier: MIT
# necropy: the zoo: instances of Python classes, with __dict__ and __slots__ in every combination.
import abc
import dataclasses
import enum
import types
import weakref

from zoo_kinds import animal, rubbish


class Plain:
    def __init__(self, number):
        self.number = number
        self.payload = [number]


class Empty:
    pass


class Child(Plain):
    def __init__(self, number):
        super().__init__(number)
        self.extra = {"child": number}


@animal
def plain():
    """Attributes inline, never asked for as a dict."""
    return [Plain(number) for number in range(1000, 1200)] + [Empty() for _ in range(20)] + [Child(7), Child(8)]


@animal
def materialised():
    """Attributes whose __dict__ somebody asked for and perhaps keeps."""
    looked, kept, changed, replaced = Plain(1), Plain(2), Plain(3), Plain(4)
    looked.__dict__
    table = kept.__dict__
    changed.__dict__["added through the dict"] = []
    replaced.__dict__ = {"brand": "new", 5: "not a string"}
    emptied = Plain(6)
    emptied.__dict__.clear()
    outlived = Plain(7).__dict__
    never = Empty()
    never.__dict__
    return [looked, kept, table, changed, replaced, emptied, outlived, never]


@animal
def deleted_attributes():
    first, last, all_of_them = Plain(1), Plain(2), Plain(3)
    del first.number
    del last.payload
    del all_of_them.number, all_of_them.payload
    returned = Plain(4)
    del returned.number
    returned.number = ["again"]
    return [first, last, all_of_them, returned]


@animal
def many_attributes():
    """More than the shared keys can hold, and in different orders."""
    wide = Empty()
    for number in range(100):
        setattr(wide, "attribute%d" % number, [number])
    thirty = Plain(0)
    for number in range(30):
        setattr(thirty, "more%d" % number, number)
    backwards = Plain.__new__(Plain)
    backwards.payload = "first"
    backwards.number = "second"
    odd = Plain(1)
    odd.__dict__[(1, 2)] = "a key that is no name"
    return [wide, thirty, backwards, odd]


class Slotted:
    __slots__ = ("one", "two", "three")


class SlottedChild(Slotted):
    __slots__ = ("four", "__weakref__")


class SlottedWithDict(SlottedChild):
    pass


class SlottedDictSlot:
    __slots__ = ("one", "__dict__")


class PrivateSlots:
    __slots__ = ("__hidden", "_Other__shown")

    def __init__(self):
        self.__hidden = ["hidden"]


class EmptySlots:
    __slots__ = ()


class Diamond(SlottedChild, EmptySlots):
    __slots__ = ("five",)


@animal
def slots():
    partly, full, child, mixed, dictslot = Slotted(), Slotted(), SlottedChild(), SlottedWithDict(), SlottedDictSlot()
    partly.two = ["two"]
    full.one, full.two, full.three = 1, [2], full
    child.one, child.four = [1], [4]
    mixed.three, mixed.free = [3], ["free"]
    dictslot.one, dictslot.other = [1], [2]
    diamond = Diamond()
    diamond.five = [5]
    return [partly, full, child, mixed, dictslot, diamond, PrivateSlots(), EmptySlots(), Slotted(),
            weakref.ref(child), SlottedDictSlot()]


def _derive(base, value, slots):
    body = {"__slots__": slots} if slots is not None else {}
    kind = type("Derived%s%s" % (base.__name__.title(), "Slots" if slots is not None else ""), (base,), body)
    instance = kind(value) if value is not None else kind()
    if slots is None:
        instance.attribute = ["attribute of a derived", base]
    elif slots:
        setattr(instance, slots[0], ["slot"])
    return instance


@animal
def derived_from_builtins():
    made = []
    for base, value in ((list, [1, []]), (dict, {"k": []}), (set, {1, 2}), (frozenset, [3]), (tuple, (1, [])),
                        (int, 12345678901234567890), (float, 2.5), (complex, 1j), (str, "text"), (bytes, b"bytes"),
                        (bytearray, b"array"), (Exception, "problem"), (OSError, "os"), (KeyError, "key"),
                        (types.ModuleType, "module"), (property, None), (type(None), None)):
        for slots in (None, (), ("slot", "unset")):
            try:
                made.append(_derive(base, value, slots))
            except TypeError:  # NoneType is final; tuple, int and bytes take no non-empty slots
                pass
    return made


class Meta(type):
    def __new__(mcs, name, bases, body, **options):
        kind = super().__new__(mcs, name, bases, body)
        kind.options = options
        return kind

    def __hash__(cls):
        return 7

    def __eq__(cls, other):
        return cls is other


class SlottedMeta(type):
    registry = {}


class WithMeta(metaclass=Meta, colour="red"):
    pass


class WithMetaChild(WithMeta, colour="blue"):
    number = 7


class Registered(metaclass=SlottedMeta):
    pass


@animal
def metaclasses():
    SlottedMeta.registry["Registered"] = Registered
    made = WithMeta()
    made.attribute = []
    return [made, WithMetaChild(), Registered(), Meta("Dynamic", (), {"items": [1]})]


class Abstract(abc.ABC):
    @abc.abstractmethod
    def method(self):
        """To be written."""


class Concrete(Abstract):
    def method(self):
        return None


@animal
def abstract():
    Abstract.register(Empty)
    isinstance(Plain(1), Abstract)
    isinstance(Concrete(), Abstract)
    return [Concrete(), Abstract._abc_impl]


@dataclasses.dataclass
class Record:
    name: str
    tags: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, order=True)
class Frozen:
    key: int
    value: tuple = ()


class Colour(enum.Enum):
    RED = 1
    GREEN = [2]


class Flags(enum.IntFlag):
    A = 1
    B = 2
    AB = 3


@animal
def records():
    made = [Record("r%d" % number, [number]) for number in range(50)] + [Frozen(1, (2,)), Colour.RED, Colour.GREEN,
                                                                          Flags.A | Flags.B, Flags(0)]
    return made, types.SimpleNamespace(a=1, b=[2]), types.SimpleNamespace()


@animal
def slotted_dataclass():
    kind = dataclasses.make_dataclass("SlottedRecord", ["x", "y"], slots=True)
    return [kind(1, [2]), kind("a", "b")]


class Finalized:
    def __init__(self):
        self.other = None

    def __del__(self):
        pass


@animal
def with_finalizers():
    one, two = Finalized(), Finalized()
    one.other, two.other = two, one
    return one


class Sized:
    """Its size is decided by Python code."""

    def __sizeof__(self):
        return 12345


class Magic:
    """Every hook that an analyzer in the process would trip over."""

    def __getattr__(self, name):
        raise RuntimeError("do not touch")

    def __repr__(self):
        raise RuntimeError("do not print")

    @property
    def __class__(self):
        raise RuntimeError("do not ask")


@animal
def hostile():
    return [Sized(), Magic()]


@animal
def changed_class():
    one = Plain(1)
    one.__class__ = Empty
    two = Empty()
    two.attribute = []
    two.__class__ = Child
    return [one, two]


@animal
def weak_references():
    target, called = Plain(1), []
    gone = weakref.ref(Plain(2), called.append)

    class KeyedRef(weakref.ref):
        __slots__ = ("key",)

    class LooseRef(weakref.ref):
        pass

    keyed, loose = KeyedRef(target), LooseRef(target, called.append)
    keyed.key = ["key"]
    loose.attribute = ["loose"]
    values, keys = weakref.WeakValueDictionary(a=target), weakref.WeakKeyDictionary({target: ["value"]})
    callable_proxy = weakref.proxy(Plain.__init__)
    return [target, gone, weakref.ref(target), weakref.ref(target, called.append), weakref.ref(target, print),
            weakref.proxy(target), weakref.proxy(target, called.append), callable_proxy, keyed, loose, values, keys,
            weakref.WeakSet([target, Plain]), weakref.WeakMethod(target.__init__),
            weakref.finalize(target, called.append, 1), weakref.getweakrefs(target)]


@rubbish
def dead_families():
    for number in range(30):
        one, two = Finalized(), Plain(number)
        one.other, two.payload = two, [one]
    slotted = SlottedChild()
    slotted.one = [slotted]
    kind = type("Dead", (), {"method": lambda self: self})
    kind.itself = kind()
