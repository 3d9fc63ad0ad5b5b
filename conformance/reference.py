"""The reference implementation as a testee: ``python -m conformance.reference COMMAND``.

A testee like any other, by the testee contract; nothing of the suite imports this module. (`reference_asyncio` does,
which is the same testee in an event loop.) The commands are ``info``,
``conformance-plugin``, ``conformance-host`` and ``conformance-panic``. Each imports what it needs and no more, so
that a process that the suite starts hundreds of times starts quickly.
"""

from __future__ import annotations

import os
import sys

from .reference_values import (
    LEAVES,
    Unsupported,
    annotation,
    encode_text,
    given,
    instruction_decoder,
    named_types,
    shaped,
)

TYPE_CHECKING = False  # importing typing costs more than the rest of `info`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from plugsvc.host.binds import Bind
    from plugsvc.host.registry import Registry

    Plan = tuple[Callable[[], Any], Callable[[Any], bytes]]

SCHEMES = ("file", "fd", "unix", "unix-abstract", "tcp", "stdio", "shm")
BINDS = ("devfd", "procfs", "fifo", "pty", "fd", "fd-pair", "unix", "unix-abstract", "tcp", "stdio", "shm")
CONSUMER_KINDS = ("get-not-callable", "get-nil", "get-no-error", "get-unmarshalable")
KINDS = (
    *CONSUMER_KINDS,
    "add-not-callable", "add-error-argument", "add-undefined-namespace", "add-parent-namespace",
    "add-duplicate-service", "define-duplicate-namespace", "define-unmarshalable-manifest", "bind-nil",
)  # fmt: skip
USAGE = 2


class Testee:
    """What a testee does in its own way. Here it blocks, in `reference_asyncio` it is awaited."""

    name = "reference"
    title = "The reference implementation, plugsvc, as a testee of its own conformance suite."

    def plugin(self) -> int:
        """Carry out instructions until there are no more."""
        return plugin(self)

    def execute(self, path: str, argv: list[str], bind: list[str]) -> int:
        """Run a plugin with the contract's registry, and return the exit status."""
        return execute(path, argv, bind)

    def made(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what this testee takes for a prototype or a service that does what `function` does."""
        return function

    def api(self) -> Any:
        """Return where the functions are by which a host is asked."""
        from plugsvc.client import api

        return api


def main(argv: list[str], testee: Testee | None = None) -> int:
    """Carry out one command and return the exit status."""
    testee = testee or Testee()
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    if command == "info" and not rest:
        return info(testee)
    if command == "conformance-plugin":
        return testee.plugin()
    if command == "conformance-host":
        return host(rest, testee)
    if command == "conformance-panic" and len(rest) == 1:
        return panic(rest[0], testee)
    return complain(f"usage: python -m conformance.{testee.name} info | conformance-plugin [--host URL [--host URL]]"
                    " | conformance-host [--bind NAME] PLUGIN [ARG...] | conformance-panic KIND", USAGE)  # fmt: skip


def complain(text: str, status: int) -> int:
    """Write one line to standard error and return the status."""
    sys.stderr.write(" ".join(text.split()) + "\n")
    return status


def info(testee: Testee) -> int:
    """Print the manifest."""
    import json

    features = ["concurrent", "single-url", "fallback", "control-fd", "prototypes"]
    plugin_data = {"contract": 1, "schemes": SCHEMES, "types": LEAVES, "features": features}
    host_data = {"contract": 1, "binds": BINDS, "types": LEAVES, "features": ["concurrent"]}
    data = {"plugin": plugin_data, "host": host_data, "panic": {"contract": 1, "kinds": KINDS}}
    commands = [{"path": [f"conformance-{side}"], "type": f"conformance-{side}", "data": data[side]} for side in data]
    manifest = {
        "manifestVersion": 1,
        "name": "plugsvc-" + testee.name.replace("_", "-"),
        "version": "1.0.0",
        "author": "plugsvc",
        "description": testee.title,
        "tags": ["conformance"],
        "commands": commands,
    }
    sys.stdout.write(json.dumps(manifest) + "\n")
    return 0


# The plugin side.


def plugin(testee: Testee) -> int:
    """Carry out instructions until there are no more."""
    import faulthandler
    import queue
    import threading

    faulthandler.enable()
    reader, writer = control()
    lock = threading.Lock()

    def work(instruction: Any) -> None:
        outcome = carry_out(instruction, testee)
        with lock:
            write(writer, outcome)

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


def write(fd: int, data: bytes) -> None:
    """Write all of it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def control() -> tuple[int, int]:
    """Return the descriptors for instructions and outcomes."""
    pair = os.environ.get("CONFORMANCE_CONTROL")
    if pair is None:
        return 0, 1
    reader, writer = map(int, pair.split(","))
    return reader, writer


def carry_out(instruction: Any, testee: Testee) -> bytes:
    """Return the outcome of an instruction, one line."""
    try:
        begin, finish = plan(instruction, testee)
        return outcome(instruction, "ok", finish(begin()))
    except Exception as error:
        return failure(instruction, error)


def outcome(instruction: Any, key: str, value: bytes) -> bytes:
    """Return an outcome, one line; `value` is JSON."""
    return b'{"id":%b,"%b":%b}\n' % (bytes(instruction.id), key.encode(), value)


def failure(instruction: Any, error: Exception) -> bytes:
    """Return the outcome of an instruction that has raised something."""
    from plugsvc.errors import ServiceError

    if isinstance(error, Unsupported):
        return outcome(instruction, "unsupported", encode_text(str(error)))
    if isinstance(error, ServiceError):
        return outcome(instruction, "error", encode_text(str(error)))
    # MisuseError first of all; anything else would be a defect of the library, and shows as such.
    return outcome(instruction, "panic", encode_text(f"{type(error).__name__}: {error}"))


def plan(instruction: Any, testee: Testee) -> Plan:
    """Return what carries out an instruction, and what makes JSON of the value that this returns, or awaits.

    Both raise, as this does, whatever the library raises, and `Unsupported`.
    """
    from msgspec.json import encode

    op, namespace = instruction.op, instruction.namespace
    if op == "call":
        return call(instruction, testee)
    if op == "hasNamespace":
        return lambda: testee.api().has_namespace(namespace), encode
    if op == "getManifest":
        return lambda: testee.api().get_manifest(namespace, annotation("raw")), bytes
    if op == "listServices":
        return lambda: testee.api().list_services(namespace), encode
    if op == "hosted":
        from plugsvc.client.api import hosted

        return hosted, encode
    if op == "bind" and not instruction.misuse:
        make_consumer(instruction, testee)
        return lambda: "bound", encode
    if op == "bind":
        consumer_misuse(instruction.misuse, namespace, instruction.name, testee)
        return lambda: "survived", encode
    if op == "fallback":
        return fallback(instruction, testee)
    raise Unsupported(f"unknown op {op!r}")


_stubs: dict[Any, Any] = {}


def make_consumer(instruction: Any, testee: Testee) -> tuple[Any, list[Any]]:
    """Return a stub of the library for the types of an instruction, and those of its results."""
    from plugsvc.client import api

    params = [annotation(each) for each in instruction.params]
    results = [annotation(each) for each in instruction.results]
    return api.get_service(instruction.namespace, instruction.name, testee.made(shaped(params, results))), results


def call(instruction: Any, testee: Testee) -> Plan:
    """Plan the call of a service through a stub of the library."""
    from plugsvc.marshal import Signature

    key = (instruction.namespace, instruction.name, repr(instruction.params), repr(instruction.results))
    made = _stubs.get(key)
    if made is None:
        stub, results = make_consumer(instruction, testee)
        made = _stubs[key] = stub, Signature.from_types([], results, side="provider", name="outcome")
    stub, outcome = made
    args = [given(each, of) for each, of in zip(instruction.args, instruction.params, strict=False)]
    args += [given(each, "any") for each in instruction.args[len(args) :]]
    return lambda: stub(*args), outcome.encode_results


def fallback(instruction: Any, testee: Testee) -> Plan:
    """Plan the call of a stub whose local function returns its arguments in reverse."""
    from plugsvc.client import api
    from plugsvc.marshal import Signature

    def reverse(*args: Any) -> Any:
        return args[0] if len(args) == 1 else args[::-1] if args else None

    args = [given(each, "any") for each in instruction.args]
    kinds = [annotation("any")] * len(args)
    local = testee.made(shaped(kinds, kinds, reverse))
    stub = api.get_service(instruction.namespace, instruction.name, local, fallback=local)
    outcome = Signature.from_types([], kinds, side="provider", name="outcome")
    return lambda: stub(*args), outcome.encode_results


def consumer_misuse(kind: str, namespace: str, name: str, testee: Testee) -> None:
    """Commit a misuse that concerns the consumer, or raise `Unsupported`."""
    from plugsvc.client import api

    if kind == "get-not-callable":
        api.get_service(namespace, name, 42)  # type: ignore[call-overload]
    elif kind == "get-nil":
        api.get_service(namespace, name, None)  # type: ignore[call-overload]
    elif kind == "get-unmarshalable":
        import threading

        api.get_service(namespace, name, testee.made(shaped([threading.Lock().__class__], [])))
    else:
        misuse(kind, testee)


# The host side.


def host(argv: list[str], testee: Testee) -> int:
    """Run a plugin with the contract's registry."""
    bind: list[str] = []
    if argv[:1] == ["--bind"]:
        bind, argv = argv[1:2], argv[2:]
        if bind and bind[0] not in BINDS:
            return complain(f"unknown bind {bind[0]!r}; there are {', '.join(BINDS)}", USAGE)
    if not argv:
        return complain("usage: conformance-host [--bind NAME] PLUGIN [ARG...]", USAGE)
    return testee.execute(argv[0], argv[1:], bind)


def execute(path: str, argv: list[str], bind: list[str]) -> int:
    """Run a plugin with the contract's registry, and return the exit status."""
    import signal

    from plugsvc.errors import PluginError
    from plugsvc.host import execution
    from plugsvc.host.plugin import new_plugin

    # An exception, so that the plugin is not left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        found = new_plugin(path)
        command = found.find("conformance-plugin")
        if command is None:
            return complain(f"{path}: no command of type conformance-plugin", 1)
        execution.execute([(found, command)], argv, bind=registry().bind(*bind_of_name(bind)))
    except PluginError as error:
        return complain(str(error), 1)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    return 0


def bind_of_name(name: list[str]) -> list[Bind | str]:
    """Return the bind that the command line names, if it names one; the contract's plugins are trusted."""
    from plugsvc.host.binds import bind_of

    return [bind_of(each, trusted=True) if each == "shm" else each for each in name]


def registry(made: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function) -> Registry:
    """Return the contract's registry: a child of a parent. Each service is what `made` makes of a function."""
    from plugsvc.errors import ServiceError
    from plugsvc.host.registry import Registry

    parent = Registry()
    parent.define("conformance/parent", {"layer": "parent"})
    parent.define("conformance/shadow", {"layer": "parent"})
    string = annotation("string")
    parent.add_service("conformance/parent", "where", made(shaped([], [string], lambda: "parent")))
    parent.add_service("conformance/shadow", "where", made(shaped([], [string], lambda: "parent")))
    parent.add_service("conformance/shadow", "hidden", made(shaped([], [string], lambda: "hidden")))

    child = parent.inherit()
    child.define("conformance", {"contract": 1})
    child.define("conformance/empty")
    child.define("conformance/shadow", {"layer": "child"})
    child.add_service("conformance/shadow", "where", made(shaped([], [string], lambda: "child")))

    def add_service(name: str, function: Callable[..., Any]) -> None:
        child.add_service("conformance", name, made(function))

    def same(value: Any) -> Any:
        return value

    add_service("echo", shaped([annotation("any")], [annotation("any")], same))
    for name, of in named_types():
        kind = annotation(of)
        add_service(f"echo_{name}", shaped([kind], [kind], same))

    def add(a: int, b: int) -> int:
        return a + b

    anything = annotation("any")
    add_service("swap", shaped([anything, anything], [anything, anything], lambda a, b: (b, a)))

    def none() -> None:
        return None

    def fail(message: str) -> None:
        raise ServiceError(message)

    def fail_after(result: str, message: str) -> tuple[str, Exception | None]:
        return result, ServiceError(message)

    def panic(message: str) -> None:
        raise RuntimeError(message)

    def blob(size: int) -> str:
        return "x" * size

    for function in (add, none, fail, fail_after, panic, sleep, blob):
        add_service(function.__name__, function)
    add_service("unserializable", shaped([], [anything], object))
    return child


def sleep(milliseconds: int) -> int:
    """The service of that name."""
    import time

    time.sleep(milliseconds / 1000)
    return milliseconds


# Misuse.


def panic(kind: str, testee: Testee) -> int:
    """Commit a misuse. Not to get past it is what is hoped for."""
    try:
        misuse(kind, testee)
    except Unsupported as reason:
        print(f"unsupported: {reason}")
        return 0
    print("survived")
    return 0


def misuse(kind: str, testee: Testee) -> None:
    """Commit a misuse, or raise `Unsupported`."""
    if kind == "get-no-error":
        raise Unsupported("in Python errors are raised, every signature has a way to receive one")
    if kind not in KINDS:
        raise Unsupported(f"unknown kind of misuse {kind!r}")
    if kind in CONSUMER_KINDS:
        return consumer_misuse(kind, "conformance", "echo", testee)
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
        child.add_service("child", "service", testee.made(takes_error))
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
