"""What a person sees while a run goes on: a progress display on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from conformance.outcomes import Outcome
from conformance.report.failure import failure_lines, short_lines
from conformance.report.table import build_tables, closing_lines, unsupported_lines
from conformance.results import Row

_QUIET = (Outcome.PASSED, Outcome.UNSUPPORTED, Outcome.NOT_RUN)


class Live:
    """A context that is told each row; ``detail`` is the number of ``-v``, or -1 for ``-q``."""

    def __init__(self, console: Console, total: int, detail: int = 0) -> None:
        self._console = console
        self._detail = detail
        self._total = total
        self._done = 0
        self._task: TaskID | None = None
        self._progress: Progress | None = None
        if console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> Live:
        if self._progress is not None:
            self._progress.start()
            self._task = self._progress.add_task("starting", total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def row(self, row: Row) -> None:
        """One more row is there."""
        self._done += 1
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=min(self._done, self._total), description=row.label)
        if row.outcome not in _QUIET or self._detail >= 2:
            first = row.message.splitlines()[0] if row.message else ""
            over = f" over {row.scheme}" if row.scheme else ""
            self._print(f"{row.outcome.upper()} {row.label} on {row.testee}{over}{f': {first}' if first else ''}")
        elif self._progress is None and self._done % 50 == 0 and self._detail >= 0:
            self._print(f"{self._done} of {self._total} cases done")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def show_end(console: Console, rows: list[Row], *, detail: int = 0) -> None:
    """The failures, the table, the counts.

    ``detail`` 0 shows failures in short, 1 and more in full; -1 shows the counts alone.
    """
    for row in rows:
        if detail >= 0 and row.outcome not in (*_QUIET, Outcome.XFAILED):
            first, *rest = failure_lines(row) if detail else short_lines(row)
            console.print(first, markup=False, highlight=False, soft_wrap=True, style="bold red")
            console.print("\n".join(rest) + "\n", markup=False, highlight=False, soft_wrap=True)
    if detail < 0:
        for line in closing_lines(rows):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    for table in build_tables(rows):
        console.print(table, "")
    for line in (*unsupported_lines(rows), *closing_lines(rows)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
