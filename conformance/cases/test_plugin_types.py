"""Values of the contract's types as a plugin sends them (arguments) and takes them (results)."""

from __future__ import annotations

import base64
from typing import Any

from conformance.case import case
from conformance.cases.boundaries import LONG_INTEGERS, ROUNDED_TWICE, many_keys
from conformance.drive.control import Ticket, Written
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.oracle.strict import Lexeme
from conformance.oracle.values import (
    INTEGER_RANGES,
    Type,
    difference,
    nearest_float32,
    rounding,
    same_written,
    to_float32,
    type_name,
)
from conformance.outcomes import Failure, Unsupported


def carry(plugin: PluginSession, of: Type, value: Any) -> None:
    """A value must arrive on the wire as it was given, and come back from there as it was sent."""
    ticket = plugin.call(value, params=(of,), results=(of,))
    request = plugin.request(ticket)
    plugin.reply(request, reply=[value])
    args = request.get("args")
    plugin.outcome(ticket)
    problem = difference({"list": of}, [value], args, "args")
    if problem:
        raise Failure("another argument on the wire than was given", expected=repr(value)[:200], seen=problem)
    plugin.ok(ticket, value)


def take(plugin: PluginSession, of: Type, written: str, value: Any) -> None:
    """A result written like this must come out as this value."""
    ticket = plugin.call(results=(of,))
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(f'{{"sequence":{sequence},"reply":[{written}]}}\n'.encode())
    plugin.ok(ticket, value)


def refuse(plugin: PluginSession, of: Type, written: str) -> None:
    """A result written like this must be an error of the call."""
    ticket = plugin.call(results=(of,))
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(f'{{"sequence":{sequence},"reply":[{written}]}}\n'.encode())
    plugin.failed(ticket, why=f"the result {written:.60} for {type_name(of)}")


def all_of(plugin: PluginSession, rows: dict[str, tuple[Any, ...]], nested: bool = False) -> None:
    """Carry every value of every type that the testee declares; Unsupported where it declares none."""
    problems, any_of_them = Problems(), False
    for name, values in rows.items():
        if not plugin.role.takes(name):
            continue
        any_of_them = True
        for value in values:
            with problems.of(f"{value!r:.60} as {name}"):
                carry(plugin, name, value)
        if nested:
            with problems.of(f"a list of {name}"):
                carry(plugin, {"list": name}, list(values))
    if not any_of_them:
        raise Unsupported(f"the testee declares none of the types {', '.join(rows)}")
    plugin.assert_alive()
    problems.check()


STRINGS = (
    "",
    " ",
    "a",
    "  both ends  ",
    "\n",
    "\0",
    "a\0b",
    "".join(map(chr, range(0x20))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),
    "\"quoted\" 'twice'",
    "back\\slash \\n \\u0041 \\",
    '{"sequence":1,"error":"no"}',
    "null",
    "true",
    "NaN",
    "1.0",
    "[]",
    "<a href='x'>&amp;</a>",
    "\u2028\u2029\u200b\u202e",
    "\ufeffbyte order mark",
    "\ufffd\ufffe\uffff",
    "é e\u0301 ﬁ ß ẞ İ ı",
    "日本語 한국어 עברית العربية",
    "😀 👩‍👩‍👧 🏳️‍🌈 \U0001f1e9\U0001f1ea",
    "\U00010000\U0010fffe\U0010ffff",
    "x" * 65_535,
    "é" * 65_536,
)


@case("TYP-01")
def test_strings(plugin: PluginSession) -> None:
    """Strings of every kind arrive as sent, as arguments and as results."""
    problems, of = Problems(), plugin.text
    for text in STRINGS:
        with problems.of(f"{text!r:.60}"):
            carry(plugin, of, text)
    problems.check()


@case("TYP-01")
def test_characters(plugin: PluginSession) -> None:
    """Every character of the basic plane, and a sample of the others, arrives as sent, both ways."""
    problems = Problems()
    scalars = [chr(c) for c in (*range(0xD800), *range(0xE000, 0x10000), *range(0x10000, 0x110000, 61))]
    for start in range(0, len(scalars), 1 << 14):
        text = "".join(scalars[start : start + (1 << 14)])
        with problems.of(f"the characters from U+{ord(text[0]):04X} to U+{ord(text[-1]):04X}"):
            carry(plugin, plugin.text, text)
    problems.check()


@case("TYP-01")
def test_booleans(plugin: PluginSession) -> None:
    """True and false arrive as sent, and are no numbers."""
    for value in (True, False):
        carry(plugin, "bool" if plugin.role.takes("bool") else "any", value)


INTEGERS: dict[str, tuple[int, ...]] = {
    name: tuple(
        dict.fromkeys(n for n in (low, low + 1, -100, -1, 0, 1, 9, 100, high // 2 + 1, high - 1, high) if n >= low)
    )
    for name, (low, high) in INTEGER_RANGES.items()
}
for _name in ("int64", "uint64"):  # where a float64 on the way would round
    INTEGERS[_name] += ((1 << 53) - 1, 1 << 53, (1 << 53) + 1, 123_456_789_012_345_679, 10**18)


@case("TYP-02")
def test_integers(plugin: PluginSession) -> None:
    """Integers are exact up to both ends of the range of their type, alone and in a list."""
    all_of(plugin, INTEGERS, nested=True)


@case("TYP-03")
def test_integers_out_of_range(plugin: PluginSession) -> None:
    """A result out of the range of its integer type is an error of the call, never wrapped."""
    problems = Problems()
    for name in _declared(plugin, *INTEGER_RANGES):
        low, high = INTEGER_RANGES[name]
        for value in (
            low - 1,
            high + 1,
            high + 2,
            2 * high + 1,
            2 * high + 2,
            2 * low - 1,
            1 << 64,
            -(1 << 64),
            10**30,
        ):
            with problems.of(f"{value} as {name}"):
                refuse(plugin, name, str(value))
        for digits in LONG_INTEGERS:
            with problems.of(f"an integer of {len(digits)} characters as {name}"):
                refuse(plugin, name, digits)
        carry(plugin, name, high)
    problems.check()


@case("TYP-03")
def test_fractions(plugin: PluginSession) -> None:
    """A result with a fractional part for an integer type is an error of the call, never rounded."""
    problems = Problems()
    for name in _declared(plugin, *INTEGER_RANGES):
        for written in ("0.5", "1.5", "1.0000000001", "-0.5", "1e-1", "15e-1", "1e-400"):
            with problems.of(f"{written} as {name}"):
                refuse(plugin, name, written)
        carry(plugin, name, 1)
    problems.check()


def _declared(plugin: PluginSession, *names: str) -> list[str]:
    found = [name for name in names if plugin.role.takes(name)]
    if not found:
        raise Unsupported(f"the testee declares none of the types {', '.join(names)}")
    return found


FLOATS = (
    0.0, 1.0, -1.0, 0.1, 0.2, 0.1 + 0.2, 1 / 3, -2.5, 3.141592653589793, 100.0, 1e-7, 1e21, 1e22, 1e23, 123456789.125,
    9007199254740993.0, 5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, 1.7976931348623157e308, -1e300,
    4.35, 1.005, 8.41e21, 9.5e-20, 2.0**-1022, 2.0**1023, 1.0000000000000002,
)  # fmt: skip
FLOATS32 = (
    0.0,
    1.0,
    -2.5,
    0.1,
    1 / 3,
    16777216.0,
    16777217.0,
    3.4028234663852886e38,
    1.401298464324817e-45,
    1e-7,
    1e10,
    0.12408233433961868,  # these need nine digits
    -1021078.5625,
    127337144320.0,
)


@case("TYP-04")
def test_floats(plugin: PluginSession) -> None:
    """Floats arrive as exactly the same number; a float32 as the nearest one."""
    all_of(plugin, {"float64": FLOATS, "float32": FLOATS32}, nested=True)


@case("TYP-04")
def test_spellings_of_floats(plugin: PluginSession) -> None:
    """A result for a float is taken however JSON writes it: without a fraction, with an exponent, with many digits."""
    problems = Problems()
    for name in _declared(plugin, "float64", "float32"):
        for written in (
            "3", "0", "-7", "3.0", "3.000", "3e0", "30e-1", "0.3E1", "3E+0", "1e2", "1E2", "1e-2", "123456",
            "0.1000000000000000055511151231257827021181583404541015625", "1" + "0" * 30, "0." + "0" * 30 + "1",
        ):  # fmt: skip
            with problems.of(f"{written} as {name}"):
                value = float(written)
                take(plugin, name, written, to_float32(value) if name == "float32" else value)
    problems.check()


@case("TYP-04", types=("float32",))
def test_singles_rounded_once(plugin: PluginSession) -> None:
    """A result for a float32 is the one nearest to what is written, not to the float64 that is nearest to it."""
    problems = Problems()
    for written in ROUNDED_TWICE:
        with problems.of(written):
            ticket = plugin.call(results=("float32",))
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(f'{{"sequence":{sequence},"reply":[{written}]}}\n'.encode())
            result = plugin.outcome(ticket)
            problem = rounding(written, result.value[0]) if result.kind == "ok" else f"{result.kind}: {result.value}"
            if problem:
                raise Failure("another float32 than the nearest", expected=repr(nearest_float32(written)), seen=problem)
    problems.check()


@case("TYP-04", types=("float64",))
def test_beyond_floats(plugin: PluginSession) -> None:
    """A result too large for a float64 is an error, never an infinity."""
    plugin.assert_alive()
    refuse(plugin, "float64", "1e400")


@case("TYP-05")
def test_negative_zero(plugin: PluginSession) -> None:
    """Negative zero keeps its sign as an argument and as a result."""
    problems = Problems()
    for of in ("float64", "any"):
        if plugin.role.takes(of):
            with problems.of(f"-0.0 as an argument of type {of}"):
                ticket = plugin.call(-0.0, params=(of,), results=())
                frame = plugin.raw_request(ticket)
                plugin.reply(strict.loads(frame), reply=[])
                _is_negative_zero(dict(strict.loads_written(frame))["args"])
            for written in ("-0.0", "-0") if of == "float64" else ("-0.0",):
                with problems.of(f"{written} as a result of type {of}"):
                    ticket = plugin.call(results=(of,))
                    sequence = plugin.request(ticket)["sequence"]
                    plugin.send(f'{{"sequence":{sequence},"reply":[{written}]}}\n'.encode())
                    plugin.ok(ticket, -0.0)
                    _is_negative_zero(_written_outcome(plugin, ticket))
    problems.check()


def _written_outcome(plugin: PluginSession, ticket: Ticket) -> Any:
    return dict(strict.loads_written(plugin.outcome(ticket).line))["ok"]


def _is_negative_zero(values: Any) -> None:
    (value,) = values
    if not isinstance(value, Lexeme) or float(value) != 0 or not value.startswith("-"):
        raise Failure("the sign of negative zero is lost", expected="-0.0", seen=str(value))


BYTES = (b"", b"\0", b"a", b"ab", b"abc", b"abcd", bytes(range(256)), b"\xff" * 300, b"\xfb\xef\xbe" * 3)


@case("TYP-07", types=("bytes",))
def test_bytes(plugin: PluginSession) -> None:
    """Bytes of every value and length arrive as standard base64 with padding, as arguments and as results."""
    all_of(plugin, {"bytes": tuple(base64.b64encode(data).decode() for data in BYTES)}, nested=True)


NO_BASE64 = (
    "a", "ab", "abc", "YWI", "a===", "====", "YWI=YWI=", "@@@@", "YW!I=", "-_8=", "é", "AA AA", "=YWI",
    "YWJj\n", "\nYWJj", "YWJj\nZGVm", "YW\r\nJj", "YW Jj", " YWJj", "YWJj\t", "YWJjZA=\n=",
    "eHh4" * 19 + "\r\n" + "eHh4" * 5,
)  # fmt: skip


@case("TYP-07", types=("bytes",))
def test_no_base64(plugin: PluginSession) -> None:
    """A result for bytes that is no standard base64 with padding is an error of the call; the connection goes on."""
    problems = Problems()
    for text in NO_BASE64:
        with problems.of(repr(text)):
            refuse(plugin, "bytes", strict.dumps(text).decode())
    carry(plugin, "bytes", "YWI=")
    problems.check()


NESTED: tuple[tuple[Type, tuple[Any, ...]], ...] = (
    ({"list": "int64"}, ([], [1], [3, 1, 2, 3], list(range(-5000, 5000)))),
    ({"list": "string"}, ([], [""], ["b", "a", "", "é😀"])),
    ({"list": "bool"}, ([True, False, False],)),
    ({"list": "uint8"}, ([], [0, 255, 1])),
    ({"list": "bytes"}, (["", "YQ==", "/+8="],)),
    ({"list": "point"}, ([{"x": 1, "y": 0.5}, {"x": -2, "y": 1e9, "label": "é"}],)),
    ({"list": "any"}, ([], [None, 1, "a", [], {}, [None]], [[[]]])),
    ({"list": {"list": "int64"}}, ([], [[]], [[1], [], [2, 3]])),
    ({"list": {"map": "string"}}, ([{}], [{"a": "b"}, {}, {"c": "d", "e": ""}])),
    ({"map": "int64"}, ({}, {"a": 1}, {"b": 2, "a": -1, "": 0}, {f"key {n}": n for n in range(2000)})),
    ({"map": "string"}, ({"é😀": "é😀", 'a"b\\': "\n", "\0": "\0", " ": ""},)),
    ({"map": "float64"}, ({"a": 0.1, "b": 5e-324},)),
    ({"map": "any"}, ({}, {"a": None, "b": [1, {"c": {}}], "c": "d"})),
    ({"map": {"list": "int64"}}, ({}, {"a": []}, {"a": [1, 2], "b": [3]})),
    ({"map": {"map": "bool"}}, ({"a": {}}, {"a": {"b": True}, "c": {"d": False}})),
    ({"list": {"list": {"list": "string"}}}, ([[["a"], []], [], [[]]],)),
    ({"map": {"list": {"optional": "point"}}}, ({"a": [None, {"x": 1, "y": 2.5, "label": "p"}]},)),
)


@case("TYP-08", types=("int64", "string"))
def test_lists_and_maps(plugin: PluginSession) -> None:
    """Lists and maps of every kind, nested and empty, arrive as sent."""
    problems = Problems()
    for of, values in NESTED:
        if plugin.role.takes(of):
            for value in values:
                with problems.of(f"{value!r:.60} as {type_name(of)}"):
                    carry(plugin, of, value)
    problems.check()


@case("TYP-08")
def test_untyped_lists_and_maps(plugin: PluginSession) -> None:
    """Lists and maps arrive as sent through an untyped signature, nested and empty."""
    problems = Problems()
    for of, values in NESTED:
        for value in values:
            with problems.of(f"{value!r:.60}, which is a {type_name(of)}"):
                carry(plugin, "any", value)
    problems.check()


@case("TYP-09", types=("int64",))
def test_optionals(plugin: PluginSession) -> None:
    """An optional arrives as null or as its value, zero and empty values included."""
    problems = Problems()
    rows: tuple[tuple[Type, tuple[Any, ...]], ...] = (
        ("int64", (0, 7, -(1 << 63))),
        ("uint64", (0, (1 << 64) - 1)),
        ("string", ("", "a", "null")),
        ("bool", (False, True)),
        ("float64", (0.0, 2.5)),
        ("float32", (0.0, 2.5)),
        ("uint8", (0, 255)),
        ("bytes", ("", "YQ==")),
        ("point", ({"x": 0, "y": 0.0}, {"x": 1, "y": 2.5, "label": "p"})),
        ({"list": "int64"}, ([], [1, 2])),
        ({"map": "string"}, ({}, {"a": "b"})),
    )
    for inner, values in rows:
        if plugin.role.takes(inner):
            for value in (None, *values):
                with problems.of(f"{value!r} as optional {type_name(inner)}"):
                    carry(plugin, {"optional": inner}, value)
            with problems.of(f"a list of optional {type_name(inner)}"):
                carry(plugin, {"list": {"optional": inner}}, [None, *values, None])
    problems.check()


@case("TYP-10", types=("point",))
def test_structures(plugin: PluginSession) -> None:
    """A structure arrives with all its fields, an empty label left out or not."""
    points = [
        {"x": x, "y": y} | ({"label": label} if label else {})
        for x, y, label in (
            (0, 0.0, ""),
            (1, 2.5, "p"),
            (-(1 << 63), 1.7976931348623157e308, "é😀\n\0"),
            ((1 << 63) - 1, 5e-324, '{"x":1}'),
            ((1 << 53) + 1, -0.1, " "),
        )
    ]
    all_of(plugin, {"point": tuple(points)}, nested=True)


@case("TYP-10", types=("point",))
def test_spellings_of_structures(plugin: PluginSession) -> None:
    """Fields of a structure come in any order, unknown ones are ignored, omitted ones are empty."""
    problems = Problems()
    for written, value in (
        ('{"label":"p","y":2.5,"x":1}', {"x": 1, "y": 2.5, "label": "p"}),
        ('{"x":1,"y":2.5,"label":""}', {"x": 1, "y": 2.5}),
        ('{"x":1,"y":3}', {"x": 1, "y": 3.0}),
        ('{"x":1,"unknown":{"x":9,"label":[1]},"y":2.5,"more":null}', {"x": 1, "y": 2.5}),
        ('{"":"","x":1,"y":2.5,"labels":"no"}', {"x": 1, "y": 2.5}),
        ('{"\\u0078":1,"y":2.5}', {"x": 1, "y": 2.5}),
        ('{"y":2.5}', {"x": 0, "y": 2.5}),
        ('{"x":1}', {"x": 1, "y": 0.0}),
        ("{}", {"x": 0, "y": 0.0}),
    ):
        with problems.of(written):
            take(plugin, "point", written, value)
    problems.check()


ANYTHING: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1 << 53, -(1 << 53), 0.5, -1e300, 5e-324, "", "text", "é😀\0", [], {}, [[]], [{}],
    {"": {}}, [None, None], [1, "1", 1.5, True, None, [1], {"1": 1}], {"a": {"b": [{"c": None}]}}, [[[[[[[1]]]]]]],
    {"a\"b\\\n": "c", "é😀": ["😀"]}, list(range(300)), {f"k{n}": [n, str(n)] for n in range(300)},
)  # fmt: skip


@case("TYP-11", types=("any",))
def test_any(plugin: PluginSession) -> None:
    """An untyped value of every kind arrives as the same JSON value; one is not true, null is not nothing."""
    all_of(plugin, {"any": ANYTHING}, nested=True)


LARGE = ((1 << 53) + 1, -(1 << 53) - 1, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1, 12_345_678_901_234_567_890)


@case("TYP-12", types=("any",))
def test_large_untyped_arguments(plugin: PluginSession) -> None:
    """An untyped integer argument beyond 2^53 is exact on the wire."""
    problems = Problems()
    for value in LARGE:
        with problems.of(str(value)):
            ticket = plugin.call(value)
            args = plugin.serve(ticket, None).get("args")
            plugin.outcome(ticket)
            if args != [value] or type(args[0]) is not int:
                raise Failure("another integer on the wire", expected=str(value), seen=repr(args))
    problems.check()


@case("TYP-12", types=("any",))
def test_large_untyped_results(plugin: PluginSession) -> None:
    """An untyped integer result beyond 2^53 is exact."""
    problems = Problems()
    for value in LARGE:
        with problems.of(str(value)):
            take(plugin, "any", str(value), value)
    problems.check()


RAW = (
    "null", "true", "0", "-0", "-0.0", "1.0", "1.50", "1e2", "1E+2", "100000000000000000000000000000.10",
    "12345678901234567890123", "0.1000000000000000055511151231257827", "1e400", '""', '"é😀\\n"', "[]", "{}",
    '{"b":1,"a":2,"10":3,"9":4}', '[{"z":{"y":[1.0,{"x":null}]}},[]]', '{"":"","sequence":1,"error":"a"}',
    ' [ 1 , { "a" : [ ] } ] ', '{"__proto__":1,"constructor":{"prototype":2}}',
    *LONG_INTEGERS,
    *map(many_keys, (8, 9, 16, 17, 32, 33, 64, 65, 257, 1_000)),
)  # fmt: skip


@case("TYP-13", types=("raw",))
def test_raw(plugin: PluginSession) -> None:
    """A raw value passes with the digits of its numbers and the order of its keys, both ways."""
    problems = Problems()
    for text in RAW:
        meant = strict.loads_written(text)
        with problems.of(f"the argument {text}"):
            ticket = plugin.call(Written(text), params=("raw",), results=())
            frame = plugin.raw_request(ticket)
            plugin.reply(strict.loads(frame), reply=[])
            plugin.ok(ticket)
            _same_written(meant, dict(strict.loads_written(frame))["args"], text)
        with problems.of(f"the result {text}"):
            ticket = plugin.call(results=("raw",))
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(f'{{"sequence":{sequence},"reply":[{text}]}}\n'.encode())
            if plugin.outcome(ticket).kind != "ok":
                plugin.ok(ticket, text)  # says what it is instead
            _same_written(meant, _written_outcome(plugin, ticket), text)
    problems.check()


def _same_written(meant: Any, came: Any, text: str) -> None:
    if not same_written([meant], came):
        raise Failure("a raw value is written in another form than it came", expected=text, seen=repr(came)[:300])
