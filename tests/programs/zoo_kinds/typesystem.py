# SPDX-License-Identifier: MIT
# necropy: the zoo: types about types, modules, annotations, structseqs.
import os
import resource
import sys
import time
import types
import typing

from zoo_kinds import animal


@animal
def generic_aliases():
    variable = typing.TypeVar("T")
    bound = typing.TypeVar("B", bound="Later")
    constrained = typing.TypeVar("C", int, str)
    made = [variable, bound, constrained, typing.List[int], typing.Dict[str, typing.List[variable]],
            typing.Optional[int], typing.Callable[[int], str], typing.Union[int, str, None], typing.Any,
            typing.ClassVar[int], typing.Tuple[int, ...], typing.Generic[variable], typing.NewType("New", int)]
    if sys.version_info >= (3, 9):
        made += [list[int], dict[str, variable], tuple[int, ...], list[variable][str], typing.Annotated[int, ["meta"]]]
    if sys.version_info >= (3, 10):
        parameters = typing.ParamSpec("P")
        made += [int | str, int | None, parameters, parameters.args, parameters.kwargs, list[variable] | None]
    if sys.version_info >= (3, 11):
        made += [iter(list[int]), typing.TypeVarTuple("Ts"), list[typing.Unpack[typing.TypeVarTuple("Us")]],
                 next(iter(tuple[int, ...]))]
    return made


@animal
def new_syntax():
    """def f[T](...), class C[T], type A = ...: 3.12 and later."""
    space = {}
    exec("type Alias = list[Alias] | None\n"
         "type Generic[T] = dict[str, T]\n"
         "def function[T: int, *Ts, **P](one: T) -> T: return one\n"
         "class Box[T]:\n    item: T\n    def get(self) -> T: return self.item\n", space)
    space["evaluated"] = space["Alias"].__value__
    space["box"] = space["Box"][int]()
    return space


class Typed(typing.NamedTuple):
    name: str
    values: list = []


class Options(typing.TypedDict, total=False):
    verbose: bool


@typing.runtime_checkable
class Proto(typing.Protocol):
    def method(self) -> int:
        """Anything with a method."""


@animal
def typing_classes():
    variable = typing.TypeVar("T")

    class Box(typing.Generic[variable]):
        def __init__(self, item: variable):
            self.item = item

    made = Box[int](5)
    isinstance(made, Proto)
    typing.get_type_hints(Typed)
    return [made, Box[str], Typed("n"), Options(verbose=True), Proto, typing.ForwardRef("Later")]


@animal
def modules():
    bare, dressed = types.ModuleType("bare"), types.ModuleType("dressed", "with a doc")
    dressed.attribute = [dressed]

    class ModuleSub(types.ModuleType):
        __slots__ = ("slot",)

    subclass = ModuleSub("sub")
    subclass.slot = ["slot"]
    unnamed = types.ModuleType.__new__(types.ModuleType)
    return [bare, dressed, subclass, unnamed, sys.modules["os"].__spec__, sys.modules["os"].__loader__]


@animal
def structseqs():
    return [os.stat("/"), os.uname(), time.localtime(), time.gmtime(0), sys.version_info, sys.flags, sys.float_info,
            sys.int_info, sys.hash_info, os.times(), os.statvfs("/"), resource.getrusage(resource.RUSAGE_SELF),
            os.terminal_size((80, 24)), sys.thread_info, time.get_clock_info("time")]


@animal
def classes_of_all_sorts():
    made = []
    for number in range(30):
        body = {"number": number, "method": lambda self: self, "__slots__": ("a", "b") if number % 2 else ("c", "__dict__")}
        made.append(type("Made%d" % number, (), body))
    for base in list(made[:5]):
        made.append(type("Sub" + base.__name__, (base,), {}))
    multiple = type("Multiple", (type("Base", (), {}), dict), {})
    with_annotations = type("Annotated", (), {"__annotations__": {"x": int}, "__doc__": "doc"})
    renamed = type("Before", (), {})
    renamed.__name__, renamed.__qualname__, renamed.__module__ = "After", "Outer.After", "some.where"
    return [made, multiple, multiple(), with_annotations, renamed(), types.new_class("New", (), {}),
            types.DynamicClassAttribute(len), types.GenericAlias if hasattr(types, "GenericAlias") else None]


@animal
def odd_names():
    """__module__ and __name__ that are not what one expects."""
    strange = type("N\xe4me", (), {"__module__": "m\xf6dule"})
    dotted = type("with.dots", (), {})
    propertied = type("Propertied", (), {"__module__": property(lambda self: "p")})
    return [strange(), dotted(), propertied()]
