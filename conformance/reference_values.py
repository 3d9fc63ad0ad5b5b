"""What the reference's testees do with the types, values and instructions of the contract.

Each function imports what it needs and no more, as in `reference`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than the rest of `info`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

LEAVES = (
    "bool", "string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "bytes", "any", "raw", "point",
)  # fmt: skip
CONSTRUCTORS = ("list", "map", "optional")
STRING = rb'"(?:[^"\\]|\\.)*"'


class Unsupported(Exception):
    """The testee cannot do what it was asked to; the text says why."""


def annotation(of: Any) -> Any:
    """Return the annotation for a type of the contract. Raises `Unsupported`."""
    from typing import Any

    if isinstance(of, dict) and len(of) == 1:
        [(constructor, inner)] = of.items()
        if constructor in CONSTRUCTORS:
            if constructor == "list":
                return list[annotation(inner)]  # type: ignore[misc]
            if constructor == "map":
                return dict[str, annotation(inner)]  # type: ignore[misc]
            # A raw value may be null anyhow, and so may any value.
            held = annotation(inner)
            return held if held in (Any, annotation("raw")) else held | None
    if of == "unmarshalable":
        return complex
    if not isinstance(of, str) or of not in LEAVES:
        raise Unsupported(f"unknown type {of!r}")
    from plugsvc import marshal

    known: dict[str, Any] = {
        "bool": bool, "string": str, "bytes": bytes, "any": Any, "raw": marshal.Raw,
        "int8": marshal.Int8, "int16": marshal.Int16, "int32": marshal.Int32, "int64": marshal.Int64,
        "uint8": marshal.UInt8, "uint16": marshal.UInt16, "uint32": marshal.UInt32, "uint64": marshal.UInt64,
        "float32": marshal.Float32, "float64": marshal.Float64,
    }  # fmt: skip
    return point() if of == "point" else known[of]


_point: list[Any] = []


def point() -> Any:
    """Return the contract's structure; a label that is empty is left out when it is written."""
    if not _point:
        import msgspec

        def forget_empty_label(self: Any) -> None:
            if self.label == "":
                self.label = msgspec.UNSET

        fields: list[Any] = [
            ("x", int, 0),
            ("y", float, 0.0),
            ("label", str | msgspec.UnsetType, msgspec.UNSET),
        ]
        _point.append(msgspec.defstruct("Point", fields, namespace={"__post_init__": forget_empty_label}))
    return _point[0]


def shaped(params: list[Any], results: list[Any], function: Callable[..., Any] | None = None) -> Any:
    """Return a function with that signature, such as somebody might have written it."""
    import inspect

    def prototype(*args: Any) -> Any:
        return function(*args) if function is not None else None

    returned = None if not results else results[0] if len(results) == 1 else tuple[tuple(results)]  # type: ignore[misc]
    kinds = [
        inspect.Parameter(f"p{index}", inspect.Parameter.POSITIONAL_ONLY, annotation=each)
        for index, each in enumerate(params)
    ]
    prototype.__signature__ = inspect.Signature(kinds, return_annotation=returned)  # type: ignore[attr-defined]
    prototype.__annotations__ = {f"p{index}": each for index, each in enumerate(params)} | {"return": returned}
    return prototype


def named_types() -> Iterator[tuple[str, Any]]:
    """Yield the types that the host has an echo service for: up to two constructors around each leaf."""
    layer: list[tuple[str, Any]] = [(leaf, leaf) for leaf in LEAVES]
    for depth in range(3):
        yield from layer
        if depth < 2:
            layer = [(f"{each}_{name}", {each: of}) for each in CONSTRUCTORS for name, of in layer]


def instruction_decoder() -> Callable[[bytes], Any]:
    """Return what turns a line into an instruction."""
    import msgspec

    fields: list[Any] = [
        ("id", msgspec.Raw, msgspec.Raw(b"null")), ("op", str, ""), ("code", int, 0), ("misuse", str, ""),
        ("namespace", str, ""), ("name", str, ""), ("args", list[msgspec.Raw], []),
        ("params", list, []), ("results", list, []), ("is_async", bool, False),
    ]  # fmt: skip
    kind = msgspec.defstruct("Instruction", fields, rename={"is_async": "async"})
    quick = msgspec.json.Decoder(kind).decode

    def decode(line: bytes) -> Any:
        try:
            return quick(line)
        except (msgspec.DecodeError, RecursionError):
            # Lone surrogates, which msgspec does not read, or an argument nested too deeply for it.
            import json
            import re

            instruction: Any = kind()
            for member in parts(line):
                key = re.match(STRING, member)
                assert key is not None, member
                name, value = json.loads(key[0]), member[key.end() :].lstrip().removeprefix(b":")
                if name == "id":
                    instruction.id = msgspec.Raw(value)
                elif name == "args":
                    instruction.args = [msgspec.Raw(each) for each in parts(value)]
                elif name == "async":
                    instruction.is_async = json.loads(value)
                elif hasattr(instruction, name):
                    setattr(instruction, name, json.loads(value))
            return instruction

    return decode


def parts(text: bytes) -> list[bytes]:
    """Return the items of a JSON array or the members of an object, as they are written, whatever is inside of them."""
    import re

    found: list[bytes] = []
    depth = begin = 0
    for token in re.finditer(STRING + rb"|[][{},]", text):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth == 1 and begin == 0:
            begin = token.end()
        elif depth == 0 or (depth == 1 and token[0] == b","):
            found.append(text[begin : token.start()].strip())
            begin = token.end()
    return [each for each in found if each]


def encode_text(text: str) -> bytes:
    """Return a string as JSON, whatever is in it."""
    from msgspec.json import encode

    return encode(text.encode("utf-8", "replace").decode())


def given(raw: Any, of: Any) -> Any:
    """Return an argument as a program would hand it over.

    What does not fit its type goes on as it is: to refuse that is the library's business.
    """
    import msgspec

    if of == "raw":
        return raw
    if of == "any" or isinstance(of, dict):
        if of == "any":
            return untyped(raw)
        [(constructor, inner)] = of.items()
        try:
            if constructor == "list":
                return [given(each, inner) for each in msgspec.json.decode(raw, type=list[msgspec.Raw])]
            if constructor == "map":
                members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
                return {name: given(each, inner) for name, each in members.items()}
        except (msgspec.MsgspecError, RecursionError):
            return untyped(raw)
        return None if bytes(raw) == b"null" else given(raw, inner)
    kind = {"bytes": bytes, "float32": float, "float64": float, "point": point()}.get(of)
    if kind is not None:
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.MsgspecError, RecursionError):
            return untyped(raw)
    return untyped(raw)


def untyped(raw: Any) -> Any:
    """Return any JSON value, with integers of any size exact and lone surrogates as they are."""
    import msgspec

    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        import json

        return json.loads(bytes(raw))
    except RecursionError:
        return deep(bytes(raw))


def deep(text: bytes) -> Any:
    """Return a JSON value that is nested too deeply for those who read recursively."""
    import json
    import re

    open_: list[list[Any]] = [[]]
    for token in re.finditer(STRING + rb"|[][{}]|[^][{}:,\s\"]+", text):
        if token[0] in (b"[", b"{"):
            open_.append([])
        elif token[0] in (b"]", b"}"):
            items = open_.pop()
            open_[-1].append(items if token[0] == b"]" else dict(zip(items[::2], items[1::2], strict=True)))
        else:
            open_[-1].append(json.loads(token[0]))
    return open_[0][0]
