"""How far a campaign is: a file for each share of a case, so that a campaign that was interrupted goes on."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

_COUNTED = ("examples", "calls", "processes", "rounds")


class ProgressError(Exception):
    """A file of progress that cannot be used; one line."""


class Countable(Protocol):
    """What is counted."""

    examples: int
    calls: int
    processes: int
    rounds: int
    features: Counter[str]


@dataclass
class Progress:
    """What one share of a case has done, in the file that keeps it, if any."""

    file: Path | None = None
    seconds: float = 0.0
    counted: dict[str, int] = field(default_factory=dict)
    features: Counter[str] = field(default_factory=Counter)

    @classmethod
    def load(cls, folder: str, name: str) -> Progress:
        """The progress of ``name`` in a folder, which is made; none yet, where there is no file.

        Raises:
            ProgressError: the file cannot be read, or is not of the form.
        """
        file = Path(folder, re.sub(r"[^A-Za-z0-9.#-]+", "_", name) + ".json")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            counted = {key: int(data[key]) for key in _COUNTED}
            return cls(file, float(data["seconds"]), counted, Counter(data["features"]))
        except FileNotFoundError:
            return cls(file)
        except OSError as error:
            raise ProgressError(f"{file}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ProgressError(f"{file}: no progress of a campaign: {error}") from None

    def into(self, counts: Countable) -> None:
        """Begin to count where the campaign was left."""
        for key, value in self.counted.items():
            setattr(counts, key, getattr(counts, key) + value)
        counts.features.update(self.features)

    def note(self, counts: Countable, seconds: float) -> None:
        """Keep these counts, after so many seconds of work in all."""
        if self.file is None:
            return
        data = {key: getattr(counts, key) for key in _COUNTED}
        data |= {"seconds": round(seconds, 3), "features": dict(counts.features)}
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        os.replace(fresh, self.file)  # whole or not at all, whenever the campaign is interrupted
