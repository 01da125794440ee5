# SPDX-License-Identifier: MIT
# necropy: the zoo: functions, methods, cells, code, descriptors, partials, caches, operators.
import functools
import operator
import types

from zoo_kinds import animal


def documented(one, two=[1], *rest, key=("default",), **others) -> "annotated":
    """With defaults of both kinds and annotations."""
    return one, two, rest, key, others


documented.attribute = ["on a function"]


def closures(start):
    count, unset = [start], None

    def step():
        nonlocal count
        count = count + [start]
        return count

    def never():
        return empty  # noqa: F821  its cell stays empty

    if start < 0:
        empty = None
    del unset
    return step, never


@animal
def functions():
    made = [closures(number) for number in range(20)]
    copied = types.FunctionType(documented.__code__, {"__name__": "elsewhere"}, "copied", ([],), None)
    return [documented, made, lambda: None, copied, types.CellType(), types.CellType([1]), made[0][0].__closure__]


class Methods:
    attribute = ["class"]

    def __init__(self):
        self.own = self.method

    def method(self):
        return super()

    @classmethod
    def of_class(cls):
        return cls

    @staticmethod
    def of_nobody():
        return None

    @property
    def value(self):
        """A property with everything."""
        return self._value

    @value.setter
    def value(self, new):
        self._value = new

    @value.deleter
    def value(self):
        del self._value

    @functools.cached_property
    def cached(self):
        return ["cached"]


class PropertySub(property):
    pass


class SlotProperty(property):
    __slots__ = ("slot", "__doc__")


class ClassMethodSub(classmethod):
    pass


class StaticMethodSub(staticmethod):
    pass


@animal
def methods():
    instance = Methods()
    instance.cached
    with_doc = PropertySub(lambda self: 1, doc=["any"])
    with_doc.attribute = ["p"]
    static, of_class = StaticMethodSub(print), ClassMethodSub(documented)
    static.attribute, of_class.attribute = [1], [2]
    nested = types.MethodType(types.MethodType(documented, 1), 2)
    return [instance, instance.method, Methods.of_class, instance.of_class, instance.of_nobody, instance.method(),
            super(Methods), super(Methods, Methods), with_doc, static, of_class, property(), nested,
            types.MethodType(len, [1]), Methods.__dict__["value"], classmethod(property(len)), SlotProperty(len)]


@animal
def builtins_of_all_sorts():
    return [len, [].append, {}.get, dict.fromkeys, "".join, (1).__add__, [].__len__, object().__str__, int.__add__,
            str.join, dict.__dict__["fromkeys"], type.__dict__["__mro__"], types.FunctionType.__code__,
            types.FunctionType.__globals__, object.__init__, object.__new__, type.__call__, (lambda: 0).__call__,
            operator.add, documented.__get__, list.__class_getitem__, [].__iter__, int.__new__, BaseException.args]


@animal
def wrapped():
    @functools.wraps(documented)
    def wrapper(*arguments):
        return documented(*arguments)

    @functools.singledispatch
    def dispatch(thing):
        return thing

    dispatch.register(int, lambda thing: [thing])
    dispatch(1)
    dispatch("x")

    class Dispatching:
        @functools.singledispatchmethod
        def method(self, thing):
            return thing

        partial = functools.partialmethod(print, 1)

    instance = Dispatching()
    return [wrapper, dispatch, instance, instance.method, instance.partial]


class PartialSub(functools.partial):
    pass


@animal
def partials():
    with_attribute = functools.partial(print, "a")
    with_attribute.attribute = [1]
    subclass = PartialSub(print, [1])
    subclass.attribute = []
    return [functools.partial(print), functools.partial(documented, [1], key=[2]), with_attribute, subclass,
            functools.partial(functools.partial(max, 1), 2)]


@animal
def caches():
    @functools.lru_cache(maxsize=8)
    def bounded(number, typed=None):
        return [number]

    @functools.lru_cache(maxsize=None)
    def unbounded(number):
        return {"n": number}

    @functools.lru_cache(maxsize=0)
    def useless(number):
        return number

    @functools.lru_cache(typed=True)
    def typed(number, *, key=1):
        return (number, key)

    for number in range(30):
        bounded(number)
        bounded(number % 3, typed=[].__class__)
        unbounded(number)
        useless(number)
        typed(number, key=float(number))
    typed.attribute = ["a"]

    class Cached:
        @functools.lru_cache(maxsize=4)
        def method(self, number):
            return [self, number]

    instance = Cached()
    instance.method(1)
    empty = functools.lru_cache()(print)
    return [bounded, unbounded, useless, typed, instance, instance.method, empty]


@animal
def keys_and_getters():
    key = functools.cmp_to_key(lambda one, two: 0)
    return [key, key([1]), operator.itemgetter(1), operator.itemgetter(1, "a", (2,)), operator.attrgetter("a.b", "c"),
            operator.attrgetter("x"), operator.methodcaller("m", [1], key=[2]), operator.methodcaller("n")]


@animal
def code():
    source = "def f(a, *b, c=1, **d):\n    e = 3\n    def g():\n        return a, e\n    return [x for x in b]\n"
    module = compile(source * 3, "<zoo>", "exec")
    namespace = {}
    exec(module, namespace)
    namespace["f"](1)
    lines = None
    if hasattr(module, "co_lines"):
        lines = [module.co_lines()]
        next(lines[0])
    positions = [module.co_positions()] if hasattr(module, "co_positions") else None
    replaced = module.replace(co_name="replaced")
    # 3.11 and later keep what was asked for on the code object.
    asked = [documented.__code__.co_varnames, documented.__code__.co_code, documented.__code__.co_freevars]
    return [module, namespace, lines, positions, replaced, asked, compile("1 + 1", "<zoo>", "eval")]
