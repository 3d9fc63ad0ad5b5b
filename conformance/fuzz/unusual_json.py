"""Odd but legal JSON texts: what no value of Python's can say, or no two readers read alike."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from conformance.fuzz.values import edge_cases

_LEAVES = (
    r'"\ud800"', r'"\udc00\ud800"', r'"a\udfffb"', r'"\uD83D\uDE00"', r'"\ud83d"', r'"\/"', r'"\u0000"',
    "1e400", "-1e400", "1e-400", "-0", "-0.0", "0e0", "1E+2", "9007199254740993", "123456789012345678901234567890",
    "0." + "3" * 400, "1" + "0" * 400, "[]", "{}", "null", '"' + "x" * 5000 + '"',
)  # fmt: skip
_KEYS = (r'"\ud800"', '"a"', '"a"', r'"\u0061"', '""', '"sequence"', '"__proto__"', '"constructor"')


def _array(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in members) + "}"


_KEY = st.sampled_from(_KEYS)
_EDGE_CASES = [*_LEAVES, *(_object([(key, "{}")]) for key in dict.fromkeys(_KEYS))]
UNUSUAL = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(_array),
        st.lists(st.tuples(_KEY, inner), max_size=4).map(_object),
        st.builds(lambda text, levels: "[" * levels + text + "]" * levels, inner, st.integers(1, 40)),
    ),
    max_leaves=6,
)
"""Texts of one JSON value each."""
UNUSUAL_HANDFULS = st.builds(list.__add__, st.lists(UNUSUAL, min_size=1, max_size=6), edge_cases(_EDGE_CASES))
"""Several of them."""


def lone_surrogate(text: str) -> bool:
    """Whether a string or key of the value has a lone surrogate, which may end the connection (TYP-14)."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def repeats_a_key(text: str) -> bool:
    """Whether an object of the value has a key twice, perhaps only when lone surrogates are replaced.

    What may come back then is not strict JSON any more: some hand both members on.
    """
    repeated = []

    def look(pairs: list[tuple[str, object]]) -> None:
        keys = ["".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in key) for key, _ in pairs]
        repeated.append(len(set(keys)) < len(keys))

    json.loads(text, object_pairs_hook=look)
    return any(repeated)
