"""Types that the tests of marshalling share."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NamedTuple, NotRequired, TypedDict

import msgspec

from plugsvc.marshal import Raw, UInt64


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(msgspec.Struct):
    x: int = 0
    y: float = 0.0
    label: str = ""


class Renamed(msgspec.Struct, rename="camel"):
    some_list: list[int]
    some_bytes: bytes = b""


class Node(msgspec.Struct):
    value: int
    next: Node | None = None


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Options(TypedDict):
    depth: int
    name: NotRequired[str]


@dataclasses.dataclass
class Order:
    number: int
    points: list[Point] = dataclasses.field(default_factory=list)
    extra: Any = None
    big: UInt64 = 0


@dataclasses.dataclass
class Carrier:
    raw: Raw
    name: str = ""


@dataclasses.dataclass
class Picky:
    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise RuntimeError("negative")
