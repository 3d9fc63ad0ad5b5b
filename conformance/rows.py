"""The rows of a run: which were selected, which have been reported, and what is missing at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from conformance.outcomes import ExitCode, Outcome
from conformance.results import Row, verdict
from conformance.settings import SelectedRow
from conformance.verdict import crashed, not_run


class Rows:
    """Collects the rows of a run by the node ids of pytest.

    ``selected`` are the rows that the plan has, ``blank`` makes an empty row of one of them, and ``events`` is a
    descriptor to which rows are written as JSON lines while they come, or None.
    """

    def __init__(
        self, selected: Iterable[SelectedRow], blank: Callable[[SelectedRow], Row], events: int | None = None
    ) -> None:
        self._selected = {row.node: row for row in selected}
        self._blank = blank
        self._events = os.fdopen(os.dup(events), "w", encoding="utf-8") if events is not None else None
        self._expected: dict[str, SelectedRow] = {}
        self._found: dict[str, Row] = {}
        self._died: set[str] = set()
        self.failed_reports = 0
        self.crashed = 0
        self.not_run = 0

    @property
    def rows(self) -> list[Row]:
        """The rows so far."""
        return list(self._found.values())

    def expect(self, node_ids: Iterable[str]) -> None:
        """Note what is going to be run; node ids of other tests are ignored."""
        for node_id in node_ids:
            row = self.find(node_id)
            if row is not None:
                self._expected[node_id] = row

    def take(self, node_id: str, data: dict[str, Any], *, failed: bool) -> None:
        """Take a row; of several rows of one node the worst counts: a case that passes when repeated has failed."""
        row = Row(**data)
        self.failed_reports += failed
        earlier = self._found.get(node_id)
        if earlier is None or _weight(row) > _weight(earlier):
            self._found.pop(node_id, None)
            self._found[node_id] = row
            self._event("result", asdict(row))

    def died(self, node_id: str) -> None:
        """Note that the process which ran a node has died; ids of other tests are ignored."""
        if node_id in self._expected or self.find(node_id) is not None:
            self._died.add(node_id)
            self.failed_reports += 1

    def end(self) -> None:
        """Add the rows that were selected and not reported."""
        for node_id, selected in self._expected.items():
            if node_id in self._died:
                self.crashed += 1
                self.take(node_id, asdict(crashed(self._blank(selected))), failed=False)
            elif node_id not in self._found:
                self.not_run += 1
                self.take(node_id, asdict(not_run(self._blank(selected))), failed=False)

    def finish(self, code: int) -> None:
        """Say how the run ended to who reads the events."""
        self._event("finish", {"exit": code})

    def find(self, node_id: str) -> SelectedRow | None:
        """The row of a node id, or None for that of another test."""
        path, _, function = node_id.partition("::")
        name = f"{path.rpartition('/')[2]}::{function}"
        if name in self._selected:
            return self._selected[name]
        # Other plugins add parameters of their own, such as the number of a repetition.
        return next((row for node, row in self._selected.items() if name.startswith(f"{node[:-1]}-")), None)

    def _event(self, kind: str, data: dict[str, Any]) -> None:
        if self._events is not None:
            self._events.write(json.dumps({"event": kind, **data}) + "\n")
            self._events.flush()


_ORDER = (ExitCode.NOTHING_RUN, ExitCode.CONFORMS, ExitCode.NONCONFORMING, ExitCode.CANNOT_RUN)


def _weight(row: Row) -> tuple[int, bool]:
    return _ORDER.index(verdict([row], strict=True)), row.outcome != Outcome.NOT_RUN
