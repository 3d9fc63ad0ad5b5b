"""What a host does with arguments that do not fit the service."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.drive.problems import Problems
from conformance.oracle.values import Type, type_name

TYPED = ("int64",)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

WRONG: dict[str, list[Any]] = {
    "bool": ["true", 0, 1, 1.0, [], {}, ""],
    "string": [5, 1.5, True, [], {}, ["x"]],
    **{name: ["5", "", True, False, [], {}, [5]] for name in INTEGERS},
    "float32": ["1.5", True, [], {}, [1.5]],
    "float64": ["1.5", True, [], {}, [1.5], "NaN", "Infinity"],
    "bytes": [5, True, {}, {"a": 1}],
    "point": [5, "x", True, [], [1, 2.5, "x"], {"x": "1", "y": 1}, {"x": 1, "y": "1"}, {"x": 1, "y": 1, "label": 5}],
}
WRONG_BUILT: list[tuple[Type, list[Any]]] = [
    ({"list": "int64"}, [5, "x", True, {}, {"0": 1}, ["1"], [1, [2]], [1, 2, {}]]),
    ({"list": "string"}, ["x", [1], ["a", ["b"]]]),
    ({"map": "int64"}, [5, "x", True, [], [1], {"a": "1"}, {"a": 1, "b": [2]}]),
    ({"map": "string"}, [[["a", "b"]], {"a": 1}]),
    ({"optional": "int64"}, ["x", True, [], {}, [1]]),
    ({"optional": "string"}, [5, False, [], {}]),
]


@case("ARI-06", types=TYPED)
def test_too_few_arguments(host: HostSession) -> None:
    """Arguments left out are an error of that call."""
    problems = Problems()
    for name, args in (
        ("add", []), ("add", [1]), ("swap", []), ("swap", [1]), ("echo", []), ("fail", []), ("fail_after", ["a"]),
        ("sleep", []), ("blob", []), ("panic", []), ("echo_int64", []),
    ):  # fmt: skip
        with problems.of(f"{name} with {len(args)} arguments"):
            host.error(host.call(name, *args), why="the call has fewer arguments than the service takes")
    problems.check()
    host.assert_alive()


@case("ARI-07", types=TYPED)
def test_too_many_arguments(host: HostSession) -> None:
    """Arguments too many are an error of that call, also null ones."""
    problems = Problems()
    for name, args in (
        ("add", [1, 2, 3]), ("add", [1, 2, None]), ("none", [1]), ("none", [None]), ("echo", ["a", "b"]),
        ("swap", [1, 2, 3]), ("sleep", [0, 0]), ("echo_int64", [1, 2]), ("blob", [1, "x"]),
    ):  # fmt: skip
        with problems.of(f"{name} with {len(args)} arguments, {args}"):
            host.error(host.call(name, *args), why="the call has more arguments than the service takes")
    problems.check()
    host.assert_alive()


@case("ARI-08", types=TYPED)
def test_one_wrong_among_right_ones(host: HostSession) -> None:
    """The first or the last argument is of another type; the error names the call, and the next one is right again."""
    for args in (["1", 2], [1, "2"], [True, 1], [1, {}], [[1], 2], [1, [2]]):
        with host.trying(f"add with {args}"):
            host.error(host.call("add", *args), why="an argument is of another type than the service takes")
            host.assert_alive()


@case("ARI-08", types=TYPED)
def test_wrong_type(host: HostSession) -> None:
    """Values of every other JSON type, for each type of the contract."""
    problems = Problems()
    for name, values in WRONG.items():
        if host.role.takes(name):
            for value in values:
                with problems.of(f"echo_{name} with {value!r}"):
                    host.error(host.echo(name, value), why="the argument is of another type")
    problems.check()
    host.assert_alive()


@case("ARI-08", types=TYPED)
def test_wrong_type_inside(host: HostSession) -> None:
    """Lists, maps and optionals of something else than the service takes."""
    problems = Problems()
    for of, values in WRONG_BUILT:
        if f"echo_{type_name(of)}" not in host.services():
            continue
        for value in values:
            with problems.of(f"echo_{type_name(of)} with {value!r}"):
                host.error(host.echo(of, value), why="the argument is of another type")
    if not any(f"echo_{type_name(of)}" in host.services() for of, _ in WRONG_BUILT):
        host.need_service("echo_list_int64")
    problems.check()
    host.assert_alive()


ARGS = {
    "missing": b"",
    "null": b',"args":null',
    "an object": b',"args":{"0":1,"1":2}',
    "an empty object": b',"args":{}',
    "a string": b',"args":"[1,2]"',
    "a number": b',"args":12',
    "true": b',"args":true',
}


@case("ARI-09", types=TYPED)
def test_args_is_no_array(host: HostSession) -> None:
    """A call whose ``args`` is not there, or is no array, is answered with an error; the connection goes on."""
    problems = Problems()
    for what, args in ARGS.items():
        for name in (b"add", b"echo_int64", b"fail"):
            sequence = host.fresh()
            head = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"%b"' % (sequence, name)
            with problems.of(f"{name.decode()} with args {what}"):
                host.send(head + args + b"}\n")
                host.error(sequence, why="`args` is not there, or is no array")
    problems.check()
    host.assert_alive()


@case("ARI-10", types=TYPED)
def test_null_arguments(host: HostSession) -> None:
    """Null is no boolean, number, string or structure."""
    problems = Problems()
    for name in ("bool", "string", *INTEGERS, "float32", "float64", "point"):
        if host.role.takes(name):
            with problems.of(f"echo_{name}"):
                host.error(host.echo(name, None), why="the argument is null")
    for args in ([None, 1], [1, None], [None, None]):
        with problems.of(f"add with {args}"):
            host.error(host.call("add", *args), why="an argument is null")
    problems.check()
    host.assert_alive()


@case("ARI-10", types=TYPED)
def test_null_elements(host: HostSession) -> None:
    """Null inside a list or a map is no number and no string."""
    host.need_service("echo_list_int64")
    problems = Problems()
    values: list[tuple[Type, Any]] = [
        ({"list": "int64"}, [1, None]),
        ({"list": "string"}, [None]),
        ({"map": "int64"}, {"a": None}),
        ({"map": "string"}, {"a": "x", "b": None}),
    ]
    for of, value in values:
        if f"echo_{type_name(of)}" in host.services():
            with problems.of(f"echo_{type_name(of)} with {value!r}"):
                host.error(host.echo(of, value), why="an element is null")
    problems.check()
    host.assert_alive()
