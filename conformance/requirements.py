"""The requirements of the protocol, read from ``requirements.toml`` beside this file."""

from __future__ import annotations

import enum
import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path


class Level(enum.StrEnum):
    """How binding a requirement is, in the words of RFC 2119."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Side(enum.StrEnum):
    """The role in which a testee is run."""

    PLUGIN = "plugin"
    HOST = "host"
    MISUSE = "misuse"

    @classmethod
    def _missing_(cls, value: object) -> Side | None:
        """The testee contract's word for misuse."""
        return cls.MISUSE if value == "panic" else None


SIDE_NAMES = (*(side.value for side in Side), "panic")
"""What a person may write for a side."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that an implementation is held to."""

    id: str
    level: Level
    sides: frozenset[Side]
    text: str
    source: str
    group: str
    uncased: str = ""


@functools.cache
def all_requirements() -> dict[str, Requirement]:
    """Every requirement by id, in the order of the file."""
    data = tomllib.loads(Path(__file__).with_name("requirements.toml").read_text(encoding="utf-8"))
    groups = data.pop("group")
    found: dict[str, Requirement] = {}
    for id_, row in data.items():
        side = row["side"]
        sides = frozenset({Side.PLUGIN, Side.HOST}) if side == "both" else frozenset({Side(side)})
        found[id_] = Requirement(
            id=id_,
            level=Level(row["level"]),
            sides=sides,
            text=row["text"],
            source=row["source"],
            group=groups[id_.partition("-")[0]],
            uncased=row.get("uncased", ""),
        )
    return found
