"""A plugin side under examination: instructions and outcomes as lines, each of which is explained if it is wrong."""

from __future__ import annotations

import json
import os
from collections import deque
from typing import Any

from conformance.doctor.steps import Log, Mistake, Skip
from conformance.drive.capabilities import Testee
from conformance.drive.control import KINDS
from conformance.drive.process import Child, describe_status
from conformance.drive.session import Session
from conformance.drive.transports import TRANSPORTS
from conformance.oracle import strict
from conformance.outcomes import CaseProblem, HarnessError, Timeout
from conformance.requirements import Side

GRACE = 1.0
"""Seconds in which a testee that owes an outcome may still write it when its input has ended."""


def in_one_line(problem: CaseProblem) -> str:
    """A problem as one sentence."""
    parts = [problem.message]
    parts += [f"expected {problem.expected}"] if problem.expected else []
    parts += [f"seen: {problem.seen}"] if problem.seen else []
    parts += [problem.note.splitlines()[-1]] if problem.note else []
    return "; ".join(" ".join(part.split()) for part in parts)


class Conversation(Session):
    """One process of the plugin side, hosted over ``transport`` or, without one, unhosted.

    ``control_fd`` gives it the control channel as inherited descriptors.
    """

    def __init__(
        self, testee: Testee, log: Log, *, timeout: float, transport: str | None = None, control_fd: bool = False
    ) -> None:
        super().__init__(timeout=timeout)
        role = testee.role(Side.PLUGIN)
        if role is None:
            raise HarnessError("the testee has no plugin side")
        self._log = log
        self._lines: deque[bytes] = deque()
        self._begun = b""
        self._ids = 70
        self._endpoint = TRANSPORTS[transport].make() if transport else None
        try:
            words = [*testee.argv, *role.path]
            if self._endpoint is not None:
                self._endpoint.begin(self.pump, self.wire)
                words += [word for url in self._endpoint.urls for word in ("--host", url)]
            self._start(words, control_fd)
        except BaseException:
            self.close()
            raise

    def _start(self, words: list[str], control_fd: bool) -> None:
        endpoint = self._endpoint
        instructions, ours = os.pipe()
        theirs, outcomes = os.pipe()
        self._input = self.pump.write(ours)
        self._output = self.pump.read(theirs, self._came)
        inherited = list(endpoint.pass_fds) if endpoint else []
        try:
            if control_fd or (endpoint is not None and endpoint.stdin is not None):
                stdin, stdout = (endpoint.stdin, endpoint.stdout) if endpoint is not None else (None, None)
                null = os.open(os.devnull, os.O_RDWR)
                try:
                    self.started = Child(
                        self.pump,
                        words,
                        stdin=null if stdin is None else stdin,
                        stdout=null if stdout is None else stdout,
                        pass_fds=[*inherited, instructions, outcomes],
                        env={"CONFORMANCE_CONTROL": f"{instructions},{outcomes}"},
                    )
                finally:
                    os.close(null)
                words = [f"CONFORMANCE_CONTROL={instructions},{outcomes}", *words]
            else:
                self.started = Child(self.pump, words, stdin=instructions, stdout=outcomes, pass_fds=inherited)
        finally:
            os.close(instructions)
            os.close(outcomes)
        self._log.send("$ " + " ".join(words))
        if endpoint is not None:
            endpoint.started()

    def _came(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._log.come(line.decode("utf-8", "backslashreplace"))
            self._lines.append(line)

    # --- the control channel ---------------------------------------------------------------------

    def give(self, op: str, **fields: Any) -> int:
        """Write an instruction; returns its id."""
        self._ids += 7
        line = json.dumps({"id": self._ids, "op": op, **fields})
        self._log.send(line)
        self._input.put(line.encode() + b"\n")
        return self._ids

    def outcome(self, id_: int) -> tuple[str, Any]:
        """The kind of the outcome of an instruction, and its value.

        Raises:
            Mistake: there is none, or the line is not one.
        """
        line = self._line(id_)
        try:
            value = strict.loads(line)
        except strict.NotStrict as error:
            raise Mistake(
                f"a line where the outcome of instruction {id_} is due is not JSON ({error}):"
                f" {_text(line)}; nothing but outcomes is printed on the control channel"
            ) from None
        problem = problem_of(value, id_)
        if problem:
            raise Mistake(f"the outcome of instruction {id_} {problem}: {_text(line)}")
        (kind,) = (kind for kind in KINDS if kind in value)
        return kind, value[kind]

    def _line(self, id_: int) -> bytes:
        child = self.child

        def over() -> bool:
            return bool(self._lines) or self._output.eof or (child.ended and child.stderr_channel.eof)

        in_time = self.pump.until(over, self.now() + self.timeout)
        if not self._lines:
            self.pump.until(
                lambda: bool(self._lines) or self._output.eof, self.now() + 0.05
            )  # what it wrote at its end
        if self._lines:
            return self._lines.popleft()
        if self._begun:
            raise Mistake(
                f"the outcome of instruction {id_} does not end with a line feed: {_text(self._begun)};"
                " each outcome is one line"
            )
        if in_time:
            raise Mistake(f"the process ended or closed its output in place of an outcome{self._last_words()}")
        raise Mistake(self._why_late(id_))

    def _why_late(self, id_: int) -> str:
        late = f"instruction {id_} got no outcome within {self.timeout:g} s"
        state = self.child.state()
        self.end_input()
        if self.pump.until(lambda: bool(self._lines), self.now() + GRACE):
            return f"{late}, and got one when standard input ended: flush standard output after each line"
        return f"{late}; the process is {state}"

    def end_input(self) -> None:
        """Close the writing end of the instructions, after what is queued."""
        self.pump.until(lambda: not self._input.queue, self.now() + self.timeout)
        self._log.send("(end of input)")
        self.pump.release(self._input)

    def exit_status(self, why: str) -> int:
        """The status that the process ends with; a process that does not end is a mistake."""
        child = self.child
        try:
            self.wait(lambda: child.ended, f"the end of the process after {why}", may_end=True)
        except Timeout:
            raise Mistake(f"the process does not exit within {self.timeout:g} s after {why}") from None
        self._log.come(f"({describe_status(child.status or 0)})")
        return child.status or 0

    def answers_before_its_end(self) -> bool:
        """Whether an outcome comes before the process has ended."""
        self.pump.until(lambda: bool(self._lines) or self.child.ended, self.now() + self.timeout)
        return bool(self._lines)

    @property
    def more(self) -> list[bytes]:
        """Lines that came and were not asked for."""
        return list(self._lines)

    def _last_words(self) -> str:
        self.pump.until(lambda: self.child.ended, self.now() + GRACE)
        status = f"; the process ended with {describe_status(self.child.status or 0)}" if self.child.ended else ""
        last = self.child.stderr.text().strip().splitlines()[-1:]
        return status + (f"; standard error ends with: {last[0]}" if last else "")

    # --- the connection --------------------------------------------------------------------------

    def request(self, id_: int, what: str) -> dict[str, Any]:
        """The next request on the connection, which instruction ``id_`` causes.

        Raises:
            Mistake: it does not come, or an outcome comes in its place.
        """
        try:
            self.wait(lambda: bool(self.wire.frames or self._lines), what)
            if not self.wire.frames:
                kind, value = self.outcome(id_)
                if kind == "unsupported":
                    raise Skip(f"the testee says that this is unsupported: {value}")
                raise Mistake(f"instruction {id_} caused no request on the connection, and ended with {kind}: {value}")
            request = self.wire.take()
        except CaseProblem as problem:
            raise Mistake(in_one_line(problem)) from None
        self._log.come("on the connection: " + json.dumps(request))
        return request

    def reply(self, request: dict[str, Any], **keys: Any) -> None:
        """Answer a request."""
        message = {"sequence": request.get("sequence"), **keys}
        self._log.send("on the connection: " + json.dumps(message))
        self.send(strict.dumps(message) + b"\n")

    def close(self) -> None:
        """Kill and reap the process, close every descriptor."""
        super().close()
        if self._endpoint is not None:
            self._endpoint.discard()


def problem_of(value: Any, id_: int) -> str:
    """What is wrong with an outcome of instruction ``id_``, as the end of a sentence; nothing if it is good."""
    if not isinstance(value, dict):
        return "is not a JSON object"
    if "id" not in value:
        return "has no id"
    if type(value["id"]) is not int:
        return f"has an id that is not an integer, {value['id']!r}"
    if value["id"] != id_:
        return f"has the id {value['id']}"
    kinds = [kind for kind in KINDS if kind in value]
    if len(kinds) != 1:
        listed = " and ".join(kinds)
        return f"has {listed} together, expected one of them" if kinds else f"has none of {', '.join(KINDS)}"
    if kinds != ["ok"] and not isinstance(value[kinds[0]], str):
        return f"has a text of {kinds[0]!r} that is not a string"
    return ""


def _text(line: bytes) -> str:
    return repr(line[:200].decode("utf-8", "backslashreplace"))
