"""The reference implementation as a testee: ``python -m conformance.reference COMMAND``.

A testee like any other, by the testee contract; nothing of the suite imports this module. The commands are ``info``,
``conformance-plugin``, ``conformance-host`` and ``conformance-panic``. Each imports what it needs and no more, so
that a process that the suite starts hundreds of times starts quickly.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing costs more than the rest of `info`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from plugsvc.host.registry import Registry

LEAVES = (
    "bool", "string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "bytes", "any", "raw", "point",
)  # fmt: skip
CONSTRUCTORS = ("list", "map", "optional")
SCHEMES = ("file", "fd", "unix", "unix-abstract", "tcp", "stdio", "shm")
BINDS = ("devfd", "procfs", "fifo", "pty", "fd", "fd-pair", "unix", "unix-abstract", "tcp", "stdio", "shm")
CONSUMER_KINDS = ("get-not-callable", "get-nil", "get-no-error", "get-unmarshalable")
KINDS = (
    *CONSUMER_KINDS,
    "add-not-callable", "add-error-argument", "add-undefined-namespace", "add-parent-namespace",
    "add-duplicate-service", "define-duplicate-namespace", "define-unmarshalable-manifest", "bind-nil",
)  # fmt: skip
USAGE = 2
STRING = rb'"(?:[^"\\]|\\.)*"'


class Unsupported(Exception):
    """The testee cannot do what it was asked to; the text says why."""


def main(argv: list[str]) -> int:
    """Carry out one command and return the exit status."""
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    if command == "info" and not rest:
        return info()
    if command == "conformance-plugin":
        return plugin(rest)
    if command == "conformance-host":
        return host(rest)
    if command == "conformance-panic" and len(rest) == 1:
        return panic(rest[0])
    return complain("usage: python -m conformance.reference info | conformance-plugin [--host URL [--host URL]]"
                    " | conformance-host [--bind NAME] PLUGIN [ARG...] | conformance-panic KIND", USAGE)  # fmt: skip


def complain(text: str, status: int) -> int:
    """Write one line to standard error and return the status."""
    sys.stderr.write(" ".join(text.split()) + "\n")
    return status


def info() -> int:
    """Print the manifest."""
    import json

    features = ["concurrent", "single-url", "fallback", "control-fd"]
    plugin_data = {"contract": 1, "schemes": SCHEMES, "types": LEAVES, "features": features}
    host_data = {"contract": 1, "binds": BINDS, "types": LEAVES, "features": ["concurrent"]}
    data = {"plugin": plugin_data, "host": host_data, "panic": {"contract": 1, "kinds": KINDS}}
    commands = [{"path": [f"conformance-{side}"], "type": f"conformance-{side}", "data": data[side]} for side in data]
    manifest = {
        "manifestVersion": 1,
        "name": "plugsvc-reference",
        "version": "1.0.0",
        "author": "plugsvc",
        "description": "The reference implementation, plugsvc, as a testee of its own conformance suite.",
        "tags": ["conformance"],
        "commands": commands,
    }
    sys.stdout.write(json.dumps(manifest) + "\n")
    return 0


# Types of the contract as annotations.


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


# The plugin side.


def plugin(argv: list[str]) -> int:
    """Carry out instructions until there are no more."""
    import faulthandler
    import queue
    import threading

    faulthandler.enable()
    reader, writer = control()
    lock = threading.Lock()

    def write(outcome: bytes) -> None:
        with lock:
            rest = memoryview(outcome)
            while rest:
                rest = rest[os.write(writer, rest) :]

    def work(instruction: Any) -> None:
        write(carry_out(instruction))

    # Threads for what is done in the background are used again: to start one costs as much as a call.
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    idle = threading.Semaphore(0)

    def serve() -> None:
        while True:
            work(waiting.get())
            idle.release()

    decode = instruction_decoder()
    with open(reader, "rb", closefd=False) as lines:
        for line in lines:
            if not line.strip():
                continue
            instruction = decode(line)
            if instruction.op == "exit":
                os._exit(instruction.code)
            if instruction.is_async:
                if not idle.acquire(blocking=False):
                    threading.Thread(target=serve, daemon=True).start()
                waiting.put(instruction)
            else:
                work(instruction)
    # At once, whatever is still going on.
    os._exit(0)


def control() -> tuple[int, int]:
    """Return the descriptors for instructions and outcomes."""
    pair = os.environ.get("CONFORMANCE_CONTROL")
    if pair is None:
        return 0, 1
    reader, writer = map(int, pair.split(","))
    return reader, writer


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


def carry_out(instruction: Any) -> bytes:
    """Return the outcome of an instruction, one line."""
    from msgspec.json import encode

    from plugsvc.errors import ServiceError

    try:
        key, value = "ok", perform(instruction)
    except Unsupported as error:
        key, value = "unsupported", encode(str(error))
    except ServiceError as error:
        key, value = "error", encode_text(str(error))
    except Exception as error:
        # MisuseError first of all; anything else would be a defect of the library, and shows as such.
        key, value = "panic", encode_text(f"{type(error).__name__}: {error}")
    return b'{"id":%b,"%b":%b}\n' % (bytes(instruction.id), key.encode(), value)


def encode_text(text: str) -> bytes:
    """Return a string as JSON, whatever is in it."""
    from msgspec.json import encode

    return encode(text.encode("utf-8", "replace").decode())


def perform(instruction: Any) -> bytes:
    """Return the JSON of what an instruction yields. Raises whatever the library raises, and `Unsupported`."""
    from msgspec.json import encode

    from plugsvc.client import api

    op, namespace = instruction.op, instruction.namespace
    if op == "call":
        return call(instruction)
    if op == "hasNamespace":
        return encode(api.has_namespace(namespace))
    if op == "getManifest":
        return bytes(api.get_manifest(namespace, annotation("raw")))
    if op == "listServices":
        return encode(api.list_services(namespace))
    if op == "hosted":
        return encode(api.hosted())
    if op == "bind":
        consumer_misuse(instruction.misuse, namespace, instruction.name)
        return encode("survived")
    if op == "fallback":
        return fallback(instruction)
    raise Unsupported(f"unknown op {op!r}")


_stubs: dict[Any, Any] = {}


def call(instruction: Any) -> bytes:
    """Call a service through a stub of the library."""
    from plugsvc.client import api
    from plugsvc.marshal import Signature

    key = (instruction.namespace, instruction.name, repr(instruction.params), repr(instruction.results))
    made = _stubs.get(key)
    if made is None:
        params = [annotation(each) for each in instruction.params]
        results = [annotation(each) for each in instruction.results]
        stub = api.get_service(instruction.namespace, instruction.name, shaped(params, results))
        made = _stubs[key] = stub, Signature.from_types([], results, side="provider", name="outcome")
    stub, outcome = made
    args = [given(each, of) for each, of in zip(instruction.args, instruction.params, strict=False)]
    args += [given(each, "any") for each in instruction.args[len(args) :]]
    return bytes(outcome.encode_results(stub(*args)))


def fallback(instruction: Any) -> bytes:
    """Call a stub whose local function returns its arguments in reverse."""
    from plugsvc.client import api
    from plugsvc.marshal import Signature

    def reverse(*args: Any) -> Any:
        return args[0] if len(args) == 1 else args[::-1] if args else None

    args = [given(each, "any") for each in instruction.args]
    kinds = [annotation("any")] * len(args)
    local = shaped(kinds, kinds, reverse)
    stub = api.get_service(instruction.namespace, instruction.name, local, fallback=local)
    outcome = Signature.from_types([], kinds, side="provider", name="outcome")
    return bytes(outcome.encode_results(stub(*args)))


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


def consumer_misuse(kind: str, namespace: str, name: str) -> None:
    """Commit a misuse that concerns the consumer, or raise `Unsupported`."""
    from plugsvc.client import api

    if kind == "get-not-callable":
        api.get_service(namespace, name, 42)  # type: ignore[call-overload]
    elif kind == "get-nil":
        api.get_service(namespace, name, None)  # type: ignore[call-overload]
    elif kind == "get-unmarshalable":
        import threading

        api.get_service(namespace, name, shaped([threading.Lock().__class__], []))
    else:
        misuse(kind)


# The host side.


def host(argv: list[str]) -> int:
    """Run a plugin with the contract's registry."""
    bind: list[str] = []
    if argv[:1] == ["--bind"]:
        bind, argv = argv[1:2], argv[2:]
        if bind and bind[0] not in BINDS:
            return complain(f"unknown bind {bind[0]!r}; there are {', '.join(BINDS)}", USAGE)
    if not argv:
        return complain("usage: conformance-host [--bind NAME] PLUGIN [ARG...]", USAGE)
    import signal

    from plugsvc.errors import PluginError
    from plugsvc.host.execution import execute
    from plugsvc.host.plugin import new_plugin

    # An exception, so that the plugin is not left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        found = new_plugin(argv[0])
        command = found.find("conformance-plugin")
        if command is None:
            return complain(f"{argv[0]}: no command of type conformance-plugin", 1)
        execute([(found, command)], argv[1:], registry().bind(*bind))
    except PluginError as error:
        return complain(str(error), 1)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    return 0


def registry() -> Registry:
    """Return the contract's registry: a child of a parent."""
    import time

    from plugsvc.errors import ServiceError
    from plugsvc.host.registry import Registry

    parent = Registry()
    parent.define("conformance/parent", {"layer": "parent"})
    parent.define("conformance/shadow", {"layer": "parent"})
    string = annotation("string")
    parent.add_service("conformance/parent", "where", shaped([], [string], lambda: "parent"))
    parent.add_service("conformance/shadow", "where", shaped([], [string], lambda: "parent"))
    parent.add_service("conformance/shadow", "hidden", shaped([], [string], lambda: "hidden"))

    child = parent.inherit()
    child.define("conformance", {"contract": 1})
    child.define("conformance/empty")
    child.define("conformance/shadow", {"layer": "child"})
    child.add_service("conformance/shadow", "where", shaped([], [string], lambda: "child"))

    def same(value: Any) -> Any:
        return value

    child.add_service("conformance", "echo", shaped([annotation("any")], [annotation("any")], same))
    for name, of in named_types():
        kind = annotation(of)
        child.add_service("conformance", f"echo_{name}", shaped([kind], [kind], same))

    @child.service("conformance")
    def add(a: int, b: int) -> int:
        return a + b

    anything = annotation("any")
    child.add_service("conformance", "swap", shaped([anything, anything], [anything, anything], lambda a, b: (b, a)))

    @child.service("conformance")
    def none() -> None:
        return None

    @child.service("conformance")
    def fail(message: str) -> None:
        raise ServiceError(message)

    @child.service("conformance")
    def fail_after(result: str, message: str) -> tuple[str, Exception | None]:
        return result, ServiceError(message)

    @child.service("conformance", "panic")
    def panic(message: str) -> None:
        raise RuntimeError(message)

    @child.service("conformance")
    def sleep(milliseconds: int) -> int:
        time.sleep(milliseconds / 1000)
        return milliseconds

    @child.service("conformance")
    def blob(size: int) -> str:
        return "x" * size

    child.add_service("conformance", "unserializable", shaped([], [anything], object))
    return child


def named_types() -> Iterator[tuple[str, Any]]:
    """Yield the types that the host has an echo service for: up to two constructors around each leaf."""
    layer: list[tuple[str, Any]] = [(leaf, leaf) for leaf in LEAVES]
    for depth in range(3):
        yield from layer
        if depth < 2:
            layer = [(f"{each}_{name}", {each: of}) for each in CONSTRUCTORS for name, of in layer]


# Misuse.


def panic(kind: str) -> int:
    """Commit a misuse. Not to get past it is what is hoped for."""
    try:
        misuse(kind)
    except Unsupported as reason:
        print(f"unsupported: {reason}")
        return 0
    print("survived")
    return 0


def misuse(kind: str) -> None:
    """Commit a misuse, or raise `Unsupported`."""
    if kind == "get-no-error":
        raise Unsupported("in Python errors are raised, every signature has a way to receive one")
    if kind not in KINDS:
        raise Unsupported(f"unknown kind of misuse {kind!r}")
    if kind in CONSUMER_KINDS:
        return consumer_misuse(kind, "conformance", "echo")
    from plugsvc.host.binds import with_bind_func
    from plugsvc.host.registry import Registry

    parent = Registry()
    parent.define("parent")
    child = parent.inherit()
    child.define("child")

    def takes_error(error: Exception) -> None:
        """Nothing that a provider may take."""

    def service() -> None:
        """A service like any other."""

    if kind == "add-not-callable":
        child.add_service("child", "service", 42)  # type: ignore[arg-type]
    elif kind == "add-error-argument":
        child.add_service("child", "service", takes_error)
    elif kind == "add-undefined-namespace":
        child.add_service("undefined", "service", service)
    elif kind == "add-parent-namespace":
        child.add_service("parent", "service", service)
    elif kind == "add-duplicate-service":
        child.add_service("child", "service", service)
        child.add_service("child", "service", service)
    elif kind == "define-duplicate-namespace":
        child.define("child")
    elif kind == "define-unmarshalable-manifest":
        child.define("manifest", {"manifest": object()})
    else:
        child.bind(with_bind_func(None))  # type: ignore[arg-type]
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
