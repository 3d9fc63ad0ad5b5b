"""Values of every type of the contract, through the host's own marshaling and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from conformance.case import case
from conformance.cases.boundaries import LONG_INTEGERS, ROUNDED_TWICE, many_keys
from conformance.drive.host import HostSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.oracle.values import (
    INTEGER_RANGES,
    Type,
    is_negative_zero,
    nearest_float32,
    rounding,
    same_written,
    type_name,
)
from conformance.outcomes import Failure, Unsupported

TEXTS = [
    "", " ", "a", "äß€", "漢字", "\U0001f600", "\U0010ffff", "e\u0301", "\u202eright to left", "\ufeff", "\ufffd",
    "\uffff", "".join(map(chr, range(0x80))), "\u0080\u009f\u2028\u2029", "null", "5", '{"a":[1]}', '"', "\\",
    "\\u0041", "</script>", "x" * 70_000, "€" * 30_000, "line\nfeed\r\n", "\0nul\0",
]  # fmt: skip
FLOATS = [
    0.0, 1.0, -1.0, 0.1, 0.2 + 0.1, 1 / 3, 3.141592653589793, 1e21, 1e-7, 1e22, 1e23, 123456789.123456789, 2.0**53,
    2.0**53 + 2, 5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308,
    -1.7976931348623157e308, 4.35, 0.3, 2.0**-1074, 9007199254740993.0, 1e300, 6.02214076e23,
]  # fmt: skip
SINGLES = [
    0.0,
    1.0,
    -1.5,
    0.1,
    1 / 3,
    3.4028234663852886e38,
    -3.4028234663852886e38,
    1e-45,
    1.17549435e-38,
    16777217.0,
    1e10,
    0.12408233433961868,  # these need nine digits
    -1021078.5625,
    127337144320.0,
]
ANYTHING: list[Any] = [
    None, True, False, 0, 1, -1, "", "text", 1.5, -2.5e-3, 2**53, -(2**53), [], {}, [[]], [{}], {"": None},
    [None, None], {"a": [1, {"b": [True, None, {"c": "d"}]}], "ä": "€"}, list(range(1000)),
    {str(i): i for i in range(500)}, [1, "1", True, None, 1.5, [1], {"1": 1}],
]  # fmt: skip
POINTS: list[dict[str, Any]] = [
    {"x": 1, "y": 2.5, "label": "here"},
    {"x": 0, "y": 0.0, "label": ""},
    {"x": 2**63 - 1, "y": -1e-300, "label": "ä \U0001f600"},
    {"x": -(2**63), "y": 1.7976931348623157e308, "label": '"'},
    {"x": 5, "y": 7},
]
BASE64 = [
    "", "AA==", "AAA=", "AAAA", "Zg==", "Zm8=", "Zm9v", "//79", "+/+/", "gICA",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
    "wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==",
    "eHh4" * 30_000,
]  # fmt: skip
NOT_BASE64 = [
    "!!!!", "Y", "YQ", "YQ=", "YWI", "-_8=", "YQ==!", "é===", "=", "====", "YWJj\0", "{}",
    "YWJj\n", "\nYWJj", "YWJj\nZGVm", "YW\r\nJj", "YW Jj", " YWJj", "YWJj\t", "YWJjZA=\n=",
    "eHh4" * 19 + "\r\n" + "eHh4" * 5,
]  # fmt: skip


def _echoed(host: HostSession, of: Type, values: Iterable[Any]) -> None:
    """Check that an echo service gives every value back."""
    problems = Problems()
    for value in values:
        with problems.of(f"echo_{type_name(of)} of {repr(value)[:60]}"):
            host.results(host.echo(of, value), value, types=[of])
    problems.check()


@case("TYP-01", types=("bool",))
def test_booleans(host: HostSession) -> None:
    """True and false."""
    _echoed(host, "bool", [True, False])


@case("TYP-01", types=("string",))
def test_strings(host: HostSession) -> None:
    """Empty, long, control characters, every plane of Unicode, text that looks like JSON."""
    _echoed(host, "string", TEXTS)


@case("TYP-01", types=("string",))
def test_every_character(host: HostSession) -> None:
    """Every Unicode scalar value."""
    for start in range(0, 0x110000, 0x8000):
        text = "".join(chr(c) for c in range(start, start + 0x8000) if not 0xD800 <= c < 0xE000)
        with host.trying(f"U+{start:04X} and what follows it"):
            host.results(host.echo("string", text), text)


@case("TYP-02", types=("int64",))
def test_integers(host: HostSession) -> None:
    """Both ends of each type's range, their neighbours, and the places where floating point loses digits."""
    places = {sign * (2**power + by) for power in (7, 15, 24, 31, 53, 62) for by in (-1, 0, 1) for sign in (1, -1)}
    for name, (low, high) in INTEGER_RANGES.items():
        if host.role.takes(name):
            values = {low, low + 1, high, high - 1, 0, 1, -1, 100, high // 2, high // 3, low // 3} | places
            _echoed(host, name, sorted(value for value in values if low <= value <= high))


SUMS = [
    (2**53, 0), (2**53, 1), (2**53 - 1, 2), (-(2**53), -1), (2**62, 2**62 - 1), (-(2**62), -(2**62)), (2**63 - 1, 0),
    (2**63 - 1, -(2**63)), (10**18, 1), (123_456_789_012_345_678, 1), (2**31, 2**31), (2**24, 1), (0, 0), (-1, 1),
]  # fmt: skip


@case("TYP-02")
def test_sums(host: HostSession) -> None:
    """Sums where floating point loses digits are exact, and written as integers."""
    problems = Problems()
    for one, other in SUMS:
        with problems.of(f"{one} + {other}"):
            host.results(host.call("add", one, other), one + other, types=["int64"])
    problems.check()


@case("TYP-03", types=("int64",))
def test_integers_out_of_range(host: HostSession) -> None:
    """One beyond either end of each type's range, far beyond, and fractions are errors of the call."""
    problems = Problems()
    for name, (low, high) in INTEGER_RANGES.items():
        if not host.role.takes(name):
            continue
        beyond = (low - 1, high + 1, low - 256, 2 * high + 2, 2**64 + 1, -(2**64), 10**30, -(10**30))
        for text in (
            *map(str, beyond),
            "9" * 1000,
            *LONG_INTEGERS,
            "1.5",
            "-0.5",
            "0.1",
            "1e100",
            "1e-1",
            f"{high - 1}.5",
        ):
            with problems.of(f"{name} {text[:40]}"):
                host.error(host.call_raw(f"echo_{name}", f"[{text}]".encode()), why="it is no value of the type")
    problems.check()
    host.assert_alive()


@case("TYP-04", types=("float64",))
def test_floats(host: HostSession) -> None:
    """Floats come back as exactly the same number, smallest, largest, and written as integers."""
    _echoed(host, "float64", FLOATS)
    _echoed(host, "float64", [0, 1, -7, 2**53, -(2**31), 10**15])


@case("TYP-04", types=("float64",))
def test_ways_to_write_a_float(host: HostSession) -> None:
    """Every form in which JSON may write a number means the same number."""
    problems = Problems()
    for text in (
        "1",
        "1.0",
        "1.50",
        "1e2",
        "1E2",
        "1e+2",
        "100e-2",
        "0.1e1",
        "-0.25E+1",
        "12345678901234567890",
        "1e0",
    ):
        with problems.of(text):
            host.results(host.call_raw("echo_float64", f"[{text}]".encode()), float(text), types=["float64"])
    problems.check()


@case("TYP-04", types=("float32",))
def test_singles(host: HostSession) -> None:
    """Floats come back as the nearest single-precision number."""
    _echoed(host, "float32", SINGLES)


@case("TYP-04", types=("float32",))
def test_singles_rounded_once(host: HostSession) -> None:
    """A float32 is the one nearest to what is written, not to the float64 that is nearest to it."""
    problems = Problems()
    for written in ROUNDED_TWICE:
        with problems.of(written):
            reply = host.reply(host.call_raw("echo_float32", f"[{written}]".encode()))
            (result,) = reply.get("reply") or [None]
            problem = rounding(written, result)
            if problem:
                raise Failure("another float32 than the nearest", expected=repr(nearest_float32(written)), seen=problem)
    problems.check()


@case("TYP-05", types=("float64",))
def test_negative_zero(host: HostSession) -> None:
    """Negative zero comes back with its sign."""
    for text in ("-0.0", "-0", "-0e0"):
        with host.trying(f"float64 {text}"):
            raw = host.raw_reply(host.call_raw("echo_float64", f"[{text}]".encode()))
            (result,) = json.loads(raw, parse_int=float).get("reply") or [None]
            if not is_negative_zero(result):
                raise Failure("the sign of negative zero", expected="-0.0", seen=raw[:200].decode(errors="replace"))


@case("TYP-07", types=("bytes",))
def test_bytes(host: HostSession) -> None:
    """Bytes of every length and value, as standard base64 with padding."""
    _echoed(host, "bytes", BASE64)


@case("TYP-07", types=("bytes",))
def test_not_base64(host: HostSession) -> None:
    """A string that is not base64 is an error of that call."""
    problems = Problems()
    for text in NOT_BASE64:
        with problems.of(repr(text)):
            host.error(host.echo("bytes", text), why="the string is not base64")
    problems.check()
    host.assert_alive()


BUILT: list[tuple[Type, list[Any]]] = [
    ({"list": "int64"}, [[], [1], [3, 1, 2], list(range(-500, 500)), [2**63 - 1, -(2**63), 2**53 + 1]]),
    ({"list": "string"}, [[], [""], ["b", "a", "ä", "b"], TEXTS]),
    ({"list": "bool"}, [[], [True, False, True]]),
    ({"list": "float64"}, [[], FLOATS]),
    ({"list": "uint8"}, [[], [0, 255, 7]]),
    ({"list": "bytes"}, [[], BASE64[:8]]),
    ({"list": "any"}, [[], ANYTHING]),
    ({"list": "point"}, [[], POINTS]),
    ({"list": {"list": "int64"}}, [[], [[]], [[1, 2], [], [3]]]),
    ({"list": {"map": "int64"}}, [[], [{}], [{"a": 1}, {"b": 2}]]),
    ({"list": {"optional": "int64"}}, [[], [None], [1, None, 2]]),
    (
        {"map": "int64"},
        [{}, {"a": 2**53 + 1, "b": -(2**63)}, {"": -1, "ä": 2, "a b": 3, "1": 4}, {str(i): i for i in range(500)}],
    ),
    ({"map": "string"}, [{}, {text[:100]: text for text in TEXTS}]),
    ({"map": "any"}, [{}, {str(i): value for i, value in enumerate(ANYTHING)}]),
    ({"map": {"list": "int64"}}, [{}, {"a": [], "b": [1, 2]}]),
    ({"map": {"map": "int64"}}, [{}, {"a": {}, "b": {"c": 1}}]),
    ({"map": "point"}, [{}, {"p": POINTS[0]}]),
]
OPTIONAL: list[tuple[Type, list[Any]]] = [
    ({"optional": "int64"}, [None, 0, -1, 5, 2**53 + 1, 2**63 - 1]),
    ({"optional": "string"}, [None, "", "text"]),
    ({"optional": "bool"}, [None, False, True]),
    ({"optional": "float64"}, [None, 0.0, 1.5]),
    ({"optional": "float32"}, [None, 0.0, 1.5]),
    ({"optional": "uint8"}, [None, 0, 255]),
    ({"optional": "bytes"}, [None, "", "YQ=="]),
    ({"optional": "point"}, [None, POINTS[0]]),
    ({"optional": {"list": "int64"}}, [[], [1, 2]]),
]


def _echoed_where_named(host: HostSession, rows: list[tuple[Type, list[Any]]]) -> None:
    """Check every row whose echo service the host names; Unsupported where it names none of them."""
    named = [row for row in rows if f"echo_{type_name(row[0])}" in host.services()]
    if not named:
        raise Unsupported("the testee names no echo service of these types")
    for of, values in named:
        _echoed(host, of, values)


@case("TYP-08", types=("int64",))
def test_lists_and_maps(host: HostSession) -> None:
    """Empty, long and nested ones; lists keep their order."""
    _echoed_where_named(host, BUILT)


@case("TYP-09", types=("int64",))
def test_optionals(host: HostSession) -> None:
    """Null stays nothing, and an empty value stays a value."""
    _echoed_where_named(host, OPTIONAL)


@case("TYP-10", types=("point",))
def test_structures(host: HostSession) -> None:
    """The fields of a structure; an omitted label is the empty one, and may be left out of the reply."""
    _echoed(host, "point", POINTS)


@case("TYP-10", types=("point",))
def test_unknown_fields(host: HostSession) -> None:
    """Fields that a structure does not have are ignored, and do not come back."""
    for unknown in (
        {"z": 1},
        {"": None},
        {"extra": {"x": "no", "deep": [[{}]]}},
        {"labels": 5, "error": "x", "sequence": 9},
    ):
        with host.trying(f"with {unknown}"):
            sequence = host.call("echo_point", {**unknown, "x": 1, "y": 2.5, "label": "p"})
            host.results(sequence, {"x": 1, "y": 2.5, "label": "p"}, types=["point"])
            sequence = host.call("echo_point", {"label": "p", "y": 2.5, "x": 1, **unknown})
            host.results(sequence, {"x": 1, "y": 2.5, "label": "p"}, types=["point"])


@case("TYP-11", types=("any",))
def test_untyped_values(host: HostSession) -> None:
    """Every kind of JSON value, nested, through a service without types."""
    _echoed(host, "any", ANYTHING)
    for one, other in ((1, "a"), (None, []), ({"k": [1]}, None), (2**53, -(2**53))):
        with host.trying(f"swap of {one!r} and {other!r}"):
            host.results(host.call("swap", one, other), other, one)


@case("TYP-11", types=("any",))
def test_untyped_floats(host: HostSession) -> None:
    """Floats through a service without types are the same numbers."""
    _echoed(host, "any", FLOATS)


@case("TYP-12", types=("any",))
def test_large_untyped_integers(host: HostSession) -> None:
    """Integers beyond 2^53 through a service without types are exact."""
    numbers = [2**53 + 1, -(2**53) - 1, 2**62 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 12345678901234567890]
    _echoed(host, "any", [*numbers, [2**53 + 1], {"k": -(2**63) + 1}])


RAW = [
    "null", "true", "0", "-0", "1.0", "1.50", "1e2", "1E+2", "1e-02", "0.10", "-12.3400e+05",
    "12345678901234567890123456789", "0.1234567890123456789012345678901234567890", "1e400",
    '""', '"text \\u00e4 ä"', "[]", "{}", "[ 1 ,2.0, [ ] ]",
    '{"b":1,"a":2,"c":{"z":1.0,"y":[1e1]}}', '{"10":1,"9":2,"1":3}', '[{"sequence":1},{"error":"x"}]',
    *LONG_INTEGERS,
    *map(many_keys, (8, 9, 16, 17, 32, 33, 64, 65, 257, 1_000)),
]  # fmt: skip


@case("TYP-13", types=("raw",))
def test_raw_values(host: HostSession) -> None:
    """The digits of numbers and the order of keys pass through a raw value."""
    problems = Problems()
    for text in RAW:
        with problems.of(text):
            raw = host.raw_reply(host.call_raw("echo_raw", f"[{text}]".encode()))
            reply = dict(strict.loads_written(raw))
            meant = [strict.loads_written(text)]
            if reply.get("error") is not None or not same_written(meant, reply.get("reply")):
                raise Failure("a raw value changed", expected=text, seen=raw[:300].decode(errors="replace"))
    problems.check()


BROKEN = {
    "a high one": b'"a\\ud800b"',
    "a low one": b'"a\\udc00b"',
    "the wrong way round": b'"a\\udc00\\ud800b"',
    "two high ones": b'"a\\ud83d\\ud83db"',
    "a high one before an escape": b'"a\\ud83d\\n"',
    "a high one at the end": b'"a\\ud83d"',
    "a byte 0xFF": b'"a\xffb"',
    "a byte in the middle of nothing": b'"a\x80b"',
    "a character cut short": b'"a\xe2\x82b"',
    "an overlong form": b'"a\xc0\xafb"',
    "a surrogate in UTF-8": b'"a\xed\xa0\x80b"',
    "beyond U+10FFFF": b'"a\xf4\x90\x80\x80b"',
}


def _broken_text(start_host: Callable[..., HostSession], service: str) -> None:
    """Send strings that are no Unicode text to an echo service; a new host where one ends the connection."""
    problems = Problems()
    host = None
    for name, written in BROKEN.items():
        if host is None:
            host = start_host()
            host.assert_alive()
        with problems.of(f"{name}, {written!r}"):
            reply = host.reply_or_end(host.call_raw(service, b"[" + written + b"]"))
            if reply is not None:
                _judge_broken(written, reply)
                continue
            ending, host = host, None
            ending.broken_off("a string that is no Unicode text")
    if host is not None:
        host.assert_alive()
    problems.check()


def _judge_broken(written: bytes, reply: dict[str, Any]) -> None:
    if reply.get("error") is not None:
        return
    (result,) = reply.get("reply") or [None]
    if not isinstance(result, str) or not result.startswith("a") or result.endswith("b") != (b'b"' in written):
        raise Failure("the text around what is broken changed", expected=repr(written), seen=repr(reply)[:300])
    inner = result[1:].removesuffix("b").replace("\n", "")
    if not inner or any(c != "\ufffd" and not 0xD800 <= ord(c) < 0xE000 for c in inner):
        raise Failure("what is broken became something else", expected="kept or U+FFFD", seen=repr(result))


@case("TYP-14")
def test_broken_text(start_host: Callable[..., HostSession]) -> None:
    """A lone surrogate or invalid UTF-8 in an argument: kept, replaced, an error, or the end; no hang and no crash."""
    _broken_text(start_host, "echo")


@case("TYP-14", types=("string",))
def test_broken_text_for_a_string(start_host: Callable[..., HostSession]) -> None:
    """The same for a service that takes a string."""
    _broken_text(start_host, "echo_string")


@case("TYP-14", "FRM-07", types=("raw",))
def test_broken_text_in_a_raw_value(start_host: Callable[..., HostSession]) -> None:
    """The same for a raw value: what passes through is still a message in valid UTF-8."""
    _broken_text(start_host, "echo_raw")


@case("TYP-15", types=("any",))
def test_keys_like_those_of_the_protocol(host: HostSession) -> None:
    """Maps with the protocol's own keys are values like any other, also in structures and in raw values."""
    values: list[dict[str, Any]] = [
        {"sequence": 1, "type": "call", "namespace": "conformance", "name": "echo", "args": [1]},
        {"sequence": 999, "services": ["x"], "ok": False, "reply": [1], "error": "no"},
        {"error": "no"},
        {"error": None, "reply": None},
    ]
    for value in values:
        for name in ("echo", "echo_raw", "echo_any", "echo_map_any"):
            if name == "echo" or name in host.services():
                with host.trying(f"{name} of {value}"):
                    host.results(host.call(name, value), value)
                    host.results(host.call(name, {"k": [value]}), {"k": [value]})
    host.results(host.call("swap", values[0], values[1]), values[1], values[0])
    host.no_more()


@case("TYP-15", types=("any",))
def test_keys_like_those_of_the_language(host: HostSession) -> None:
    """Maps with keys that mean something to a language are values like any other."""
    for key in (
        "__proto__",
        "constructor",
        "__class__",
        "toString",
        "$ref",
        "$type",
        "@type",
        "length",
        "",
        "0",
        "hasOwnProperty",
    ):
        value = {key: {"a": 1}, "other": [key]}
        with host.trying(f"the key {key!r}"):
            host.results(host.call("echo", value), value)
