"""Where hypothesis keeps its caches while the suite generates: not in the working folder of the user."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import configuration


@contextmanager
def storage_apart() -> Iterator[None]:
    """Let hypothesis keep its caches in the folder for temporary files; what was set before is set again."""
    before: Any = configuration.storage_directory(intent_to_write=False)  # of older versions: the path itself
    configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir(), "conformance-hypothesis"))
    try:
        yield
    finally:
        configuration.set_hypothesis_home_dir(getattr(before, "path", before))
