"""Quick checks that values are exactly of the types of a signature, compiled once to straight Python code.

A quick check says yes only where `checks.full` would accept: for values of the very types that are annotated, within
their ranges. For all others, also those that fit in another way (a tuple for a list, an instance of a subclass), it
says no, and the slower check decides and words the error.

One compiled function for all values of a call costs about as much as encoding them. A check that is put together from
one function for each part of a type costs five times as much, and reading back what was encoded does not see what JSON
cannot tell apart: bytes and text, an enum and its value, two classes with the same fields.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from keyword import iskeyword
from typing import Annotated, Any

import msgspec
from msgspec import Meta, inspect

from .checks import FLOAT32_LIMIT, Check, full, integer_bounds, is_constrained
from .mismatch import Mismatch
from .typeinfo import INT64_MAX, Fields, extra, unwrap
from .types import FLOAT32

__all__ = ["QuickCheck", "is_plain", "quick_check"]

QuickCheck = Callable[[Sequence[Any]], bool]

_EXACT_INTEGERS = 2**53
"""Up to here every integer is a float."""
_PLAIN = frozenset((str, int, bool, type(None)))
_ABSENT = object()
_FEW = 16
"""Up to so many values are checked more quickly one by one."""
_WITH_PARTS = (inspect.CollectionType, inspect.TupleType, inspect.DictType, inspect.UnionType, *Fields)

_EXACT: dict[type[inspect.Type], str] = {
    inspect.StrType: "str",
    inspect.BytesType: "bytes",
    inspect.ByteArrayType: "bytearray",
    inspect.ListType: "list",
    inspect.VarTupleType: "tuple",
    inspect.TupleType: "tuple",
    inspect.SetType: "set",
    inspect.FrozenSetType: "frozenset",
    inspect.DictType: "dict",
    inspect.TypedDictType: "dict",
}
"""The built-in types that values of these kinds have, as they are called in the code."""


def quick_check(nodes: Sequence[inspect.Type]) -> QuickCheck:
    """Return a function that says whether a sequence of values, one for each of `nodes`, is exactly of these types.

    It may raise any exception for values that are not. It must only see values that JSON has been made of, since it
    does not end for values that contain themselves.
    """
    if any(isinstance(unwrap(node), (*_WITH_PARTS, inspect.AnyType)) for node in nodes):
        return _Compiler().compile(nodes)
    # To compile takes as long as some hundred calls. Where there is little to check, it is not worth that.
    checks = [full(node) for node in nodes]

    def check(values: Sequence[Any]) -> bool:
        for one, value in zip(checks, values):  # noqa: B905 - their numbers are the same, and strict takes time
            one(value)
        return True

    return check


def is_plain(value: Any) -> bool:
    """Return whether a value of type Any is made of what JSON knows, with finite floats and text as keys.

    It must not contain itself.
    """
    own = type(value)
    if own is dict:
        for key in value:
            if type(key) is not str:
                return False
        inside: Any = value.values()
    elif own is list or own is tuple:
        inside = value
        if len(value) > _FEW and set(map(type, value)) <= _PLAIN:
            return True
    else:
        return own in _PLAIN or (own is float and value - value == 0)
    for item in inside:  # noqa: SIM110 - a generator takes twice as long
        if type(item) not in _PLAIN and not is_plain(item):
            return False
    return True


class _Compiler:
    """Writes the code of one quick check.

    A class that occurs again, be it within itself, gets a function of its own.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._names: dict[str, Any] = {
            "is_plain": is_plain,
            "PLAIN": _PLAIN,
            "ABSENT": _ABSENT,
        }
        self._used = 0
        self._inlined: set[int] = set()
        self._functions: dict[int, str] = {}
        self._todo: list[tuple[str, inspect.Type]] = []

    def compile(self, nodes: Sequence[inspect.Type]) -> QuickCheck:
        """Return the function that checks a sequence of values, one for each of `nodes`."""
        self._line(0, "def check(values):")
        if nodes:
            variables = [self._variable() for _ in nodes]
            self._line(1, f"{', '.join(variables)}, = values")
            for variable, node in zip(variables, nodes, strict=True):
                self._value(1, variable, node)
        self._line(1, "return True")
        while self._todo:
            name, node = self._todo.pop()
            self._line(0, f"def {name}(value):")
            self._class(1, "value", node)
            self._line(1, "return True")
        # The code has names of our own, numbers and attributes that are identifiers in it, and nothing else.
        exec("\n".join(self._lines), self._names)  # noqa: S102
        check: QuickCheck = self._names["check"]
        return check

    def _line(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text)

    def _require(self, depth: int, condition: str) -> None:
        self._line(depth, f"if not ({condition}): return False")

    def _variable(self) -> str:
        self._used += 1
        return f"v{self._used}"

    def _name(self, value: Any) -> str:
        """Return the name of a constant in the code."""
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name

    def _value(self, depth: int, value: str, node: inspect.Type) -> None:
        """Write lines that return False unless the variable `value` holds exactly a value of the type `node`."""
        mark, node = extra(node), unwrap(node)
        if isinstance(node, inspect.AnyType):
            self._require(depth, f"type({value}) in PLAIN or is_plain({value})")
        elif isinstance(node, inspect.NoneType):
            self._require(depth, f"{value} is None")
        elif isinstance(node, inspect.BoolType):
            self._require(depth, f"type({value}) is bool")
        elif isinstance(node, inspect.UnionType):
            self._union(depth, value, node)
        elif is_constrained(node):
            self._slowly(depth, value, node)
        elif isinstance(node, inspect.IntType):
            low, high = integer_bounds(node, mark)
            self._require(depth, f"type({value}) is int and {low} <= {value} <= {high}")
        elif isinstance(node, inspect.FloatType):
            self._float(depth, value, mark == FLOAT32)
        elif isinstance(node, Fields):
            self._fields(depth, value, node)
        elif isinstance(node, inspect.TupleType):
            self._tuple(depth, value, node)
        elif isinstance(node, inspect.CollectionType):
            kinds = "(list, tuple)" if isinstance(node, (inspect.ListType, inspect.VarTupleType)) else None
            exact = f"in {kinds}" if kinds else f"is {_EXACT[type(node)]}"
            self._require(depth, f"type({value}) {exact}")
            self._loop(depth, value, node.item_type)
        elif isinstance(node, inspect.DictType):
            self._dict(depth, value, node)
        elif isinstance(node, inspect.EnumType):
            self._require(depth, f"type({value}) is {self._name(node.cls)}")
        elif type(node) in _EXACT:
            self._require(depth, f"type({value}) is {_EXACT[type(node)]}")
        else:
            self._slowly(depth, value, node)

    def _float(self, depth: int, value: str, is_float32: bool) -> None:
        self._line(depth, f"if type({value}) is float:")
        # Infinity minus infinity is NaN, and no number equals that.
        limits = f"-{FLOAT32_LIMIT!r} < {value} < {FLOAT32_LIMIT!r}" if is_float32 else f"{value} - {value} == 0"
        self._require(depth + 1, limits)
        exact = f"type({value}) is int and -{_EXACT_INTEGERS} <= {value} <= {_EXACT_INTEGERS}"
        self._line(depth, f"elif not ({exact}): return False")

    def _slowly(self, depth: int, value: str, node: inspect.Type) -> None:
        """Let the full check say whether it is one."""
        self._require(depth, f"{self._name(_accepts(full(node)))}({value})")

    def _union(self, depth: int, value: str, node: inspect.UnionType) -> None:
        word = "if"
        for member in node.types:
            bare = unwrap(member)
            if isinstance(bare, inspect.NoneType):
                test = f"{value} is None"
            elif isinstance(bare, inspect.BoolType):
                test = f"type({value}) is bool"
            elif isinstance(bare, inspect.IntType):
                test = f"type({value}) is int"
            elif isinstance(bare, inspect.FloatType):
                test = f"type({value}) is float"
            elif type(bare) in _EXACT:
                test = f"type({value}) is {_EXACT[type(bare)]}"
            elif isinstance(bare, (inspect.EnumType, *Fields)):
                test = f"type({value}) is {self._name(_class_of(bare))}"
            else:
                test = f"{self._name(_accepts(full(member)))}({value})"
                self._line(depth, f"{word} {test}: pass")
                word = "elif"
                continue
            self._line(depth, f"{word} {test}:")
            self._line(depth + 1, "pass")
            self._value(depth + 1, value, member)
            word = "elif"
        self._line(depth, "else: return False")

    def _loop(self, depth: int, values: str, node: inspect.Type) -> None:
        depth = self._many(depth, values, list, node)
        item = self._variable()
        self._line(depth, f"for {item} in {values}:")
        self._value(depth + 1, item, node)

    def _many(self, depth: int, values: str, kind: type, item: inspect.Type) -> int:
        """Let msgspec look at many items at the speed of C, if it can; return how far to indent what few take."""
        annotation = _convertible(item)
        if annotation is None:
            return depth
        self._line(depth, f"if len({values}) > {_FEW}:")
        convert = self._name(_converting(annotation, kind))
        self._line(depth + 1, f"{convert}({values})")
        self._line(depth, "else:")
        return depth + 1

    def _tuple(self, depth: int, value: str, node: inspect.TupleType) -> None:
        count = len(node.item_types)
        self._require(depth, f"type({value}) in (tuple, list) and len({value}) == {count}")
        if count:
            variables = [self._variable() for _ in range(count)]
            self._line(depth, f"{', '.join(variables)}, = {value}")
            for variable, item in zip(variables, node.item_types, strict=True):
                self._value(depth, variable, item)

    def _dict(self, depth: int, value: str, node: inspect.DictType) -> None:
        self._require(depth, f"type({value}) is dict")
        if type(unwrap(node.key_type)) is inspect.StrType and not is_constrained(unwrap(node.key_type)):
            depth = self._many(depth, value, dict, node.value_type)
        key, item = self._variable(), self._variable()
        self._line(depth, f"for {key}, {item} in {value}.items():")
        if isinstance(unwrap(node.key_type), inspect.AnyType):
            self._require(depth + 1, f"type({key}) is str")
        else:
            self._value(depth + 1, key, node.key_type)
        self._value(depth + 1, item, node.value_type)

    def _fields(self, depth: int, value: str, node: Any) -> None:
        name = self._functions.get(id(node))
        if name is None:
            if id(node) not in self._inlined:
                self._inlined.add(id(node))
                self._class(depth, value, node)
                return
            name = self._functions[id(node)] = f"f{len(self._functions)}"
            self._todo.append((name, node))
        self._require(depth, f"{name}({value})")

    def _class(self, depth: int, value: str, node: Any) -> None:
        if isinstance(node, inspect.TypedDictType):
            self._typed_dict(depth, value, node)
            return
        self._require(depth, f"type({value}) is {self._name(_class_of(node))}")
        for index, field in enumerate(node.fields):
            item = self._variable()
            if isinstance(node, inspect.NamedTupleType):
                self._line(depth, f"{item} = {value}[{index}]")
            elif field.name.isidentifier() and not iskeyword(field.name):
                self._line(depth, f"{item} = {value}.{field.name}")
            else:
                self._line(depth, f"{item} = getattr({value}, {self._name(field.name)})")
            self._value(depth, item, field.type)

    def _typed_dict(self, depth: int, value: str, node: inspect.TypedDictType) -> None:
        self._require(depth, f"type({value}) is dict")
        count, item = self._variable(), self._variable()
        self._line(depth, f"{count} = len({value})")
        for field in node.fields:
            self._line(depth, f"{item} = {value}.get({self._name(field.name)}, ABSENT)")
            if field.required:
                self._require(depth, f"{item} is not ABSENT")
                at = depth
            else:
                self._line(depth, f"if {item} is not ABSENT:")
                at = depth + 1
            self._line(at, f"{count} -= 1")
            self._value(at, item, field.type)
        self._require(depth, f"{count} == 0")


def _class_of(node: Any) -> type:
    cls: type = dict if isinstance(node, inspect.TypedDictType) else typing.get_origin(node.cls) or node.cls
    return cls


def _accepts(check: Check) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        try:
            check(value)
        except Mismatch:
            return False
        return True

    return accepts


def _convertible(node: inspect.Type) -> Any:
    """Return the annotation with which `msgspec.convert` checks this type as strictly, or None where it does not."""
    mark, node = extra(node), unwrap(node)
    if is_constrained(node):
        return None
    if isinstance(node, inspect.IntType):
        low, high = integer_bounds(node, mark)
        return Annotated[int, Meta(ge=low, le=high)] if high <= INT64_MAX else None
    if isinstance(node, inspect.StrType):
        return str
    if isinstance(node, inspect.BoolType):
        return bool
    if isinstance(node, inspect.ListType) and (item := _convertible(node.item_type)) is not None:
        return list[item]  # type: ignore[valid-type]
    if isinstance(node, inspect.TupleType):
        items = tuple(map(_convertible, node.item_types))
        return None if None in items else tuple[items]  # type: ignore[valid-type]
    return None


def _converting(item: Any, kind: type) -> Callable[[Any], Any]:
    """Return a function that raises unless its argument is a list of such items, or a dict with text as keys."""
    many = dict[str, item] if kind is dict else list[item]
    # A struct, since msgspec analyses the fields of a struct only once.
    holder = msgspec.defstruct("Holder", [("values", many)], array_like=True, gc=False)
    return lambda values: msgspec.convert((values,), holder)
