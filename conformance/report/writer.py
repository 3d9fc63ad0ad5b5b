"""The reports of a run: begun before it, kept up while it goes on, incomplete until it has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, TextIO

import msgspec

from conformance.report.files import why_unwritable, write_file
from conformance.report.html import as_html
from conformance.report.junit import as_junit
from conformance.report.markdown import as_markdown
from conformance.report.saved import ReportFile
from conformance.results import Row

INTERVAL = 5.0
"""Seconds between two versions of the reports while a run goes on."""


class ReportWriteError(Exception):
    """A report cannot be written; one line."""


def saved(data: dict[str, Any]) -> ReportFile:
    """The JSON report as it would be read from its file."""
    return msgspec.json.decode(json.dumps(data), type=ReportFile)


FORMATS: Mapping[str, Callable[[dict[str, Any], bool], str]] = {
    "json": lambda data, _strict: json.dumps(data, indent=1) + "\n",
    "junit": lambda data, strict: as_junit(saved(data), strict=strict),
    "markdown": lambda data, _strict: as_markdown(saved(data)),
    "html": lambda data, _strict: as_html([saved(data)]),
}
"""The text of a report by the name of the option; ``strict`` is that of the run."""


class ReportWriter:
    """Writes the reports that were asked for.

    ``files`` has the path for each format, or None. ``make`` makes the JSON report of rows; it is told whether it is
    complete. The JSON report is written again every few seconds, so that also a run that is killed leaves one; the
    others are written at the beginning and at the end.
    """

    def __init__(
        self, files: Mapping[str, str | None], make: Callable[[Iterable[Row], bool], dict[str, Any]], *, strict: bool
    ) -> None:
        self._files = {form: path for form, path in files.items() if path is not None}
        self._make = make
        self._strict = strict
        self._next = time.monotonic() + INTERVAL

    def begin(self) -> None:
        """Replace each old report by an empty one that is incomplete.

        Raises:
            ReportWriteError: one cannot be written there.
        """
        self._write(self._files, self._make([], False))

    def keep_up(self, rows: Iterable[Row]) -> None:
        """Write what there is so far, if the last time is long enough ago; a problem is told by `end`."""
        if "json" in self._files and time.monotonic() >= self._next:
            write_file(self._files["json"], FORMATS["json"](self._make(rows, False), self._strict))
            self._next = time.monotonic() + INTERVAL

    def end(self, data: dict[str, Any]) -> None:
        """Write the reports.

        Raises:
            ReportWriteError: one cannot be written; the others are.
        """
        self._write(self._files, data)

    def _write(self, files: Mapping[str, str], data: dict[str, Any]) -> None:
        problems: list[str] = []
        for form, path in files.items():
            problem = write_file(path, FORMATS[form](data, self._strict))
            problems += [f"--{form} {path}: {problem}"] if problem else []
        if problems:
            raise ReportWriteError("; ".join(problems))


class RowStream:
    """A file of JSON lines that grows with the run: ``start``, a ``result`` for each row, and ``finish``.

    Raises:
        ReportWriteError: it cannot be written, at the beginning or later.
    """

    def __init__(self, path: str | None, start: dict[str, Any]) -> None:
        self._path = path
        self._file: TextIO | None = None
        if path is not None:
            problem = why_unwritable(path)
            if problem:
                raise ReportWriteError(f"--jsonl {path}: {problem}")
            self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115
            self.write("start", start)

    def row(self, row: Row) -> None:
        """Write a row."""
        self.write("result", asdict(row))

    def write(self, event: str, data: dict[str, Any]) -> None:
        """Write a line."""
        if self._file is None:
            return
        try:
            self._file.write(json.dumps({"event": event, **data}) + "\n")
            self._file.flush()
        except OSError as error:
            self.close()
            raise ReportWriteError(f"--jsonl {self._path}: {error.strerror}") from None

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                pass  # what was not written was told of when it was written
