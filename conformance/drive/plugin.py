"""A plugin under test: the suite is the host at the other end, and drives the testee by its control channel."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from conformance.drive import endpoints
from conformance.drive.capabilities import Role, Testee
from conformance.drive.control import Lines, Result, Ticket, instruction, longest_outcome, read_outcome
from conformance.drive.process import Child
from conformance.drive.session import Session
from conformance.oracle import strict
from conformance.oracle.values import Type, difference, type_name
from conformance.outcomes import Failure, HarnessError, Unsupported
from conformance.requirements import Side


class PluginSession(Session):
    """One run of a testee's plugin side."""

    def __init__(
        self,
        testee: Testee,
        *,
        endpoint: Callable[[], endpoints.Endpoint] | None = None,
        urls: Sequence[str] | None = None,
        prefix: Sequence[str] = (),
        timeout: float = 10.0,
        scale: float = 1.0,
    ) -> None:
        """Start the testee: hosted over ``endpoint`` (default: pipes in procfs), or with just ``urls``.

        ``prefix`` is a command that runs the testee's.
        """
        super().__init__(timeout=timeout, scale=scale)
        role = testee.role(Side.PLUGIN)
        assert role is not None
        self.role: Role = role
        self._ids = 0
        self._results: dict[int, Result] = {}
        self._lines = Lines(longest_outcome(scale))
        self._known: dict[int, Ticket] = {}
        self._stdin: int | None = None
        self.endpoint: endpoints.Endpoint | None = None
        try:
            self._start([*prefix, *testee.argv], endpoint, urls)
        except BaseException:
            self.close()
            raise

    @property
    def shared(self) -> endpoints.Shared:
        """The endpoint of a connection over shared memory; another one is an error of the case."""
        if not isinstance(self.endpoint, endpoints.Shared):
            raise HarnessError("the connection is not over shared memory")
        return self.endpoint

    def _start(
        self, command: list[str], endpoint: Callable[[], endpoints.Endpoint] | None, urls: Sequence[str] | None
    ) -> None:
        if urls is None:
            self.endpoint = (endpoint or endpoints.procfs)()
            self.endpoint.begin(self.pump, self.wire)
            urls = self.endpoint.urls
        argv = [*command, *self.role.path]
        for url in urls:
            argv += ["--host", url]
        their_input, self._stdin = os.pipe()
        our_outcomes, their_output = os.pipe()
        self._control = self.pump.write(self._stdin)
        self._outcomes = self.pump.read(our_outcomes, self._came)
        try:
            self.started = self._run(argv, their_input, their_output)
        finally:
            os.close(their_input)
            os.close(their_output)

    def _run(self, argv: list[str], instructions: int, outcomes: int) -> Child:
        """Start the process, with instructions and outcomes on the standard streams if the connection is not there."""
        endpoint = self.endpoint
        if endpoint is None or endpoint.stdin is None or endpoint.stdout is None:
            pass_fds = endpoint.pass_fds if endpoint else ()
            child = Child(self.pump, argv, stdin=instructions, stdout=outcomes, pass_fds=pass_fds)
        else:
            self.need("control-fd")
            pass_fds = [*endpoint.pass_fds, instructions, outcomes]
            env = {"CONFORMANCE_CONTROL": f"{instructions},{outcomes}"}
            child = Child(self.pump, argv, stdin=endpoint.stdin, stdout=endpoint.stdout, pass_fds=pass_fds, env=env)
        if endpoint is not None:
            endpoint.started()
        return child

    # --- the control channel -------------------------------------------------------------------

    def _came(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            if line.strip():
                self._outcome(line)

    def _outcome(self, line: bytes) -> None:
        id_, result = read_outcome(line, self._known)
        if id_ in self._results:
            raise Failure(f"the testee printed two outcomes for instruction {id_}", seen=line[:200].decode())
        self._results[id_] = result

    def start(self, op: str, *, background: bool = False, results: Sequence[Type] = (), **fields: Any) -> Ticket:
        """Give an instruction; ``background`` lets the testee go on with the next one meanwhile.

        Values may hold `control.Written` for JSON that Python has no value for.

        Raises:
            Unsupported: a type that the testee does not take, or background work without the feature ``concurrent``.
        """
        for of in (*fields.get("params", ()), *results):
            if not self.role.takes(of) and "unmarshalable" not in type_name(of):
                raise Unsupported(f"the testee does not declare the type {type_name(of)}")
        if op in ("call", "bind"):
            fields["results"] = list(results)
        if background:
            self.need("concurrent")
            fields["async"] = True
        self._ids += 1
        ticket = Ticket(self._ids, f"{op} {fields.get('namespace', '')}.{fields.get('name', '')}", tuple(results))
        self._known[ticket.id] = ticket
        self._control.put(instruction({"id": ticket.id, "op": op, **fields}))
        return ticket

    def call(
        self,
        *args: Any,
        params: Sequence[Type] | None = None,
        results: Sequence[Type] = ("any",),
        namespace: str = "n",
        name: str = "s",
        background: bool = False,
    ) -> Ticket:
        """Have the testee call a service; parameters are ``any`` unless said otherwise."""
        types = ["any"] * len(args) if params is None else list(params)
        return self.start(
            "call",
            namespace=namespace,
            name=name,
            args=list(args),
            params=types,
            results=results,
            background=background,
        )

    @property
    def text(self) -> Type:
        """The type for a text: an untyped testee takes it as any."""
        return "string" if self.role.takes("string") else "any"

    def need(self, feature: str) -> None:
        """Raises Unsupported unless the testee declares ``feature``."""
        if feature not in self.role.features:
            raise Unsupported(f"the testee does not declare the feature {feature}")

    def outcome(self, ticket: Ticket, *, timeout: float | None = None, why: str = "") -> Result:
        """The outcome of an instruction, whatever it is, except that ``unsupported`` ends the case.

        ``why`` says in the report of a hang what the testee should have noticed.
        """
        what = f"the outcome of instruction {ticket.id} ({ticket.what})" + (f" after this: {why}" if why else "")
        self.wait(lambda: ticket.id in self._results or self._outcomes.eof, what, timeout=timeout)
        if ticket.id not in self._results:
            self.wait(lambda: False, what, timeout=timeout)
        result = self._results[ticket.id]
        if result.kind == "unsupported":
            raise Unsupported(f"the testee says: {result.value}")
        return result

    def arrived(self, ticket: Ticket) -> bool:
        """Whether the outcome of an instruction is there already."""
        return ticket.id in self._results

    def ok(self, ticket: Ticket, *meant: Any) -> list[Any]:
        """Expect a call to succeed with exactly these values of its result types."""
        result = self.outcome(ticket)
        if result.kind != "ok":
            raise Failure(
                f"{ticket.what} failed",
                expected=f"the results {meant!r}"[:300],
                seen=f"{result.kind}: {result.value}"[:400],
            )
        if not isinstance(result.value, list):
            raise Failure(
                f"{ticket.what}: the results are no array",
                expected=repr(list(meant))[:300],
                seen=repr(result.value)[:300],
            )
        if len(result.value) != len(meant):
            expected, seen = repr(list(meant))[:300], repr(result.value)[:300]
            raise Failure(f"{ticket.what}: wrong number of results", expected=expected, seen=seen)
        for index, (of, want, got) in enumerate(zip(ticket.results, meant, result.value, strict=True)):
            problem = difference(of, want, got, f"result {index}")
            if problem:
                raise Failure(f"{ticket.what}: another result than was sent", seen=problem, expected=repr(want)[:300])
        return result.value

    def value(self, ticket: Ticket, meant: Any) -> None:
        """Expect a registry lookup or ``hosted`` to yield exactly this JSON value."""
        result = self.outcome(ticket)
        if result.kind != "ok":
            raise Failure(f"{ticket.what} failed", expected=repr(meant), seen=f"{result.kind}: {result.value}")
        problem = difference("any", meant, result.value, "the value")
        if problem:
            raise Failure(f"{ticket.what}: another value than was sent", expected=repr(meant), seen=problem)

    def failed(self, ticket: Ticket, *, why: str, or_panic: bool = False) -> str:
        """Expect an ordinary error of the call, and return its text; ``why`` says what makes it one."""
        result = self.outcome(ticket, why=why)
        if result.kind == "panic" and not or_panic:
            raise Failure(
                f"{why}: the implementation raised something that is no ordinary error of the call",
                expected="an error",
                seen=f"panic: {result.value}",
            )
        if result.kind == "ok":
            raise Failure(
                f"{why}, and the call succeeded",
                expected="an error",
                seen=f"the results {result.value!r}"[:400],
            )
        if not isinstance(result.value, str):
            raise Failure("the text of an error is no string", expected="a string", seen=repr(result.value))
        return result.value

    # --- the connection ------------------------------------------------------------------------

    def _await_request(self, ticket: Ticket | None) -> None:
        what = f"the request of {ticket.what}" if ticket else "a request"

        def came() -> bool:
            return bool(self.wire.frames) or (ticket is not None and self.arrived(ticket))

        self.wait(came, what)
        if not self.wire.frames:
            assert ticket is not None
            result = self.outcome(ticket)
            raise Failure(
                f"{ticket.what} ended without a request on the connection",
                expected="a request",
                seen=f"{result.kind}: {result.value!r}"[:400],
            )

    def request(self, ticket: Ticket | None = None) -> dict[str, Any]:
        """The next request of the plugin, judged strictly; an outcome of ``ticket`` instead of it is a fault."""
        self._await_request(ticket)
        request = self.wire.take()
        sequence = request.get("sequence")
        if type(sequence) is not int or not 0 <= sequence < 1 << 64:
            raise Failure(
                "the sequence of a request is no uint64",
                expected="an integer from 0 to 2^64-1",
                seen=repr(sequence),
            )
        return request

    def raw_request(self, ticket: Ticket | None = None) -> bytes:
        """The next request of the plugin as the bytes that came."""
        self._await_request(ticket)
        return self.wire.frames.popleft()

    def requests(self, tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
        """The requests of concurrent calls, in the order of ``tickets``; they are told apart by their names."""
        found: dict[str, dict[str, Any]] = {}
        for _ in tickets:
            request = self.request()
            found[f"{request.get('type')} {request.get('namespace')}.{request.get('name') or ''}"] = request
        missing = [ticket.what for ticket in tickets if ticket.what not in found]
        if missing:
            raise Failure("a request of several concurrent ones is missing", expected=missing[0], seen=repr([*found]))
        return [found[ticket.what] for ticket in tickets]

    def being_written(self, ticket: Ticket) -> None:
        """Wait until a request that is larger than the connection holds fills it, with the suite told to hold."""
        self.look_for(lambda: bool(self.wire.offered) or self.arrived(ticket))
        if not self.wire.offered:
            self.wait(lambda: False, f"the beginning of the request of {ticket.what}", timeout=0)
        self.stays(lambda: True, 0.05)  # time to fill it, and to wait

    def reply(self, request: dict[str, Any] | int, *, tail: bytes = b"\n", **keys: Any) -> None:
        """Answer a request with the given keys."""
        sequence = request if isinstance(request, int) else request["sequence"]
        self.send(strict.dumps({"sequence": sequence, **keys}) + tail)

    def serve(self, ticket: Ticket, *values: Any) -> dict[str, Any]:
        """Take the request of a call and answer it with these results; returns the request."""
        request = self.request(ticket)
        self.reply(request, reply=list(values))
        return request

    def assert_alive(self) -> None:
        """Check that the connection is alive: one more call goes through."""
        ticket = self.call("still here?", name="assert_alive", results=["any"])
        self.serve(ticket, "yes")
        self.ok(ticket, "yes")

    def sends(self, ticket: Ticket) -> bool:
        """Wait for the request of a call, or for its outcome; return whether there is a request."""
        self.wait(lambda: bool(self.wire.frames) or self.arrived(ticket), "a request, or the failure of the call")
        return bool(self.wire.frames)

    def survives(self) -> bool:
        """Whether the connection goes on after something that may have ended it; the next call must end either way."""
        ticket = self.call("still here?", name="survives", results=["any"])
        if self.sends(ticket):
            self.serve(ticket, "yes")
        if self.outcome(ticket, why="a call before it that may have ended the connection").kind == "ok":
            self.ok(ticket, "yes")
            return True
        self.failed(ticket, why="a call after one that failed")
        return False

    def quiet(self, seconds: float = 0.15) -> None:
        """Check that the plugin sends nothing for a short while."""
        if not self.stays(lambda: not self.wire.frames and not self.wire.in_message, seconds):
            raise Failure("the plugin sent something unasked", expected="nothing on the connection")

    def finish(self, status: int = 0) -> None:
        """End the control channel and expect the process to exit with ``status``."""
        if self._stdin is None:
            raise HarnessError("the control channel is closed already")
        self.pump.drop(self._stdin)
        self._stdin = None
        self.ended(status, "its exit at the end of standard input")

    def ended(self, status: int, what: str) -> None:
        """Expect the process to have ended, or to end, with ``status``."""
        child = self.child
        assert child is not None
        self.wait(lambda: child.ended, what, may_end=True)
        if child.status != status:
            from conformance.drive.process import describe_status

            raise Failure(
                f"{what}: another status",
                expected=describe_status(status),
                seen=describe_status(child.status or 0),
                note=child.stderr.text()[-600:],
            )

    def forget(self) -> None:
        """Forget instructions that have their outcome as well; a second outcome of one is still found."""
        super().forget()
        for id_ in self._results:
            del self._known[id_]
        self._results.clear()

    def close(self) -> None:
        """Kill and reap the testee, close every descriptor."""
        super().close()
        if self.endpoint is not None:
            self.endpoint.discard()
