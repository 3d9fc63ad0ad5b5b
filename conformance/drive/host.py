"""A host under test: the suite's stub plugin is its plugin, and hands the connection to the suite."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from conformance.drive.capabilities import Role, Testee
from conformance.drive.control_socket import ControlSocket
from conformance.drive.endpoints.memory import cross
from conformance.drive.process import Child, describe_status
from conformance.drive.rings import Bridge, Corrupt, Memory
from conformance.drive.session import Session
from conformance.oracle import strict
from conformance.oracle.values import Type, difference, type_name
from conformance.outcomes import CaseProblem, Failure, HarnessError, Unsupported
from conformance.requirements import Side

NAMESPACE = "conformance"


class HostSession(Session):
    """One run of a testee's host side."""

    def __init__(
        self,
        testee: Testee,
        *,
        bind: str | None = None,
        args: Sequence[str] = (),
        info: dict[str, Any] | None = None,
        opens: bool = True,
        plugin: str | None = None,
        prefix: Sequence[str] = (),
        timeout: float = 10.0,
        scale: float = 1.0,
    ) -> None:
        """Start the host on the stub plugin.

        ``info`` says how the stub plugin's ``info`` behaves, ``opens=False`` lets it open its URLs only
        when it is told to, ``plugin`` names another executable instead of the stub plugin. ``prefix`` is a command
        that runs the host's.
        """
        super().__init__(timeout=timeout, scale=scale)
        role = testee.role(Side.HOST)
        assert role is not None
        self.role: Role = role
        self._opens = opens
        self._sequence = 0
        self._replies: dict[int, list[dict[str, Any]]] = {}
        self._order: list[int] = []
        self._named: list[str] | None = None
        self._bridge: Bridge | None = None
        self.ends: list[list[int]] = []  # device and inode of what the plugin opened
        self.control = ControlSocket(self.pump, {"info": info or {}, "open": opens})
        try:
            executable = plugin or self.control.executable
            argv = [*prefix, *testee.argv, *role.path, *(["--bind", bind] if bind else []), executable, *args]
            self.started = Child(self.pump, argv)
            self.child.keep_stdout()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Put ``what`` before the message of a problem inside; for cases that try one thing after the other."""
        try:
            yield
        except CaseProblem as problem:
            problem.message = f"{what}: {problem.message}"
            raise

    # --- the stub plugin -----------------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        """What the stub plugin reported of itself when the host executed it."""
        self.wait(lambda: self.executed, "the execution of the plugin")
        return self.control.reports("run")[0]

    @property
    def executed(self) -> bool:
        """Whether the host has executed the plugin (discovery does not count)."""
        return bool(self.control.reports("run"))

    def connect(self) -> None:
        """Wait until the stub plugin has opened the connection, and take it over."""
        if self.wire.attached:
            return
        self.hello()
        if not self._opens:
            raise HarnessError("this stub plugin does not open its connection")
        self.wait(lambda: bool(self.control.answers), "a connection that the plugin can open")
        answer = self.control.answers.pop(0)
        if "error" in answer:
            raise Failure(
                "the plugin cannot open what the host offered",
                expected="URLs that the plugin can open",
                seen=f"{answer['error']} for {self.urls()}",
            )
        fds, self.control.fds = self.control.fds, []
        self.ends = [[seen.st_dev, seen.st_ino] for seen in map(os.fstat, fds)]
        if len(fds) == 5:
            self._cross(fds)
        else:
            self.wire.attach(fds[0], fds[-1])

    def _cross(self, fds: list[int]) -> None:
        """Shared memory: the suite is the plugin's half of it."""
        memory_fd, *doorbells = fds
        try:
            memory = Memory(memory_fd)
        except Corrupt as problem:
            for fd in doorbells:
                os.close(fd)
            raise Failure("the host offers memory that is no connection", seen=str(problem)) from None
        finally:
            os.close(memory_fd)
        names = ("replies.filled", "requests.drained", "requests.filled", "replies.drained")
        self._bridge = Bridge(memory, dict(zip(names, doorbells, strict=True)), takes="replies", gives="requests")
        cross(self._bridge, self.wire)

    @property
    def bridge(self) -> Bridge:
        """The suite's half of a connection over shared memory; another one is an error of the case."""
        if self._bridge is None:
            raise HarnessError("the connection is not over shared memory")
        return self._bridge

    def open(self, *, writer_first: bool = False) -> None:
        """Have a stub plugin that was started with ``opens=False`` open its URLs, and take the connection over."""
        self.tell(open="writer-first" if writer_first else "reader-first")
        self._opens = True
        self.connect()

    def urls(self) -> list[str]:
        """The URLs that the host gave on the command line."""
        words = self.hello()["argv"]
        return [words[i + 1] for i, word in enumerate(words[:-1]) if word == "--host"]

    def tell(self, **order: Any) -> None:
        """Give the stub plugin an order."""
        self.hello()
        if not self.control.tell(order):
            raise Failure("the host ended its plugin", expected="a plugin that runs until it ends by itself")

    def answer(self) -> dict[str, Any]:
        """The stub plugin's next answer to an order."""
        self.wait(
            lambda: bool(self.control.answers) or self.control.gone,
            "the plugin's own work",
            owed_by="the plugin, run by the host,",
        )
        if not self.control.answers:
            raise Failure("the host ended its plugin", expected="a plugin that runs until it ends by itself")
        return self.control.answers.pop(0)

    # --- the connection ------------------------------------------------------------------------

    def reserve(self, count: int) -> int:
        """The first of ``count`` sequences that nothing else uses."""
        first = self._sequence + 1
        self._sequence += count
        return first

    def request(self, type_: str, namespace: str = NAMESPACE, *, sequence: int | None = None, **keys: Any) -> int:
        """Send a request and return its sequence."""
        self.connect()
        if sequence is None:
            sequence = self.fresh()
        self.send_message({"sequence": sequence, "type": type_, "namespace": namespace, **keys})
        return sequence

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a whole message."""
        self.connect()
        self.send(strict.dumps(message) + b"\n")

    def fresh(self) -> int:
        """A sequence that was not used before."""
        self._sequence += 1
        return self._sequence

    def call(self, name: str, *args: Any, namespace: str = NAMESPACE, sequence: int | None = None) -> int:
        """Send a call and return its sequence."""
        return self.request("call", namespace, name=name, args=list(args), sequence=sequence)

    def call_raw(self, name: str, args: bytes, *, namespace: str = NAMESPACE, wait: bool = True) -> int:
        """Send a call whose ``args`` are these bytes, and return its sequence; ``wait`` as in `send`."""
        self.connect()
        sequence = self.fresh()
        head = strict.dumps({"sequence": sequence, "type": "call", "namespace": namespace, "name": name})
        self.send(head[:-1] + b',"args":' + args + b"}\n", wait=wait)
        return sequence

    def need(self, *types: Type) -> None:
        """Raises Unsupported unless the testee has an ``echo_T`` for each type."""
        for of in types:
            if not self.role.takes(of):
                raise Unsupported(f"the testee does not declare the type {type_name(of)}")

    def echo(self, of: Type, value: Any) -> int:
        """Call the ``echo_T`` of a type; Unsupported where the testee has none."""
        self.need(of)
        return self.call(f"echo_{type_name(of)}" if of != "any" else "echo", value)

    def services(self) -> list[str]:
        """What the host says that the namespace ``conformance`` has."""
        if self._named is None:
            named = self.reply(self.request("listServices")).get("services") or []
            if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
                raise Failure("the services are no array of strings", seen=repr(named)[:300])
            self._named = named
        return self._named

    def need_service(self, name: str) -> None:
        """Raises Unsupported where the host does not name an optional service."""
        if name not in self.services():
            raise Unsupported(f"the testee has no service {name}")

    def _sort(self) -> None:
        while self.wire.frames:
            data = self.wire.frames[0]
            reply = self.wire.take()
            sequence = reply.get("sequence")
            if type(sequence) is not int:
                raise Failure(
                    "a reply without a sequence", expected="the sequence of a request", seen=repr(reply)[:300]
                )
            reply[_BYTES] = data
            self._replies.setdefault(sequence, []).append(reply)
            self._order.append(sequence)

    def _has(self, sequence: int) -> bool:
        self._sort()
        return bool(self._replies.get(sequence))

    def reply(self, sequence: int, *, timeout: float | None = None) -> dict[str, Any]:
        """The reply to a request, judged strictly; others that came meanwhile are kept for their own."""
        self.connect()
        self.wait(
            lambda: self._has(sequence) or (self.wire.eof and not self.wire.frames),
            f"the reply to request {sequence}",
            timeout=timeout,
        )
        if not self._has(sequence):
            raise Failure(
                f"the connection ended instead of the reply to request {sequence}",
                expected="a reply",
                seen="end of file",
            )
        reply = self._replies[sequence].pop(0)
        reply.pop(_BYTES)
        return reply

    def reply_or_end(self, sequence: int) -> dict[str, Any] | None:
        """The reply to a request, or None where the host ended the connection instead."""
        self.wait(lambda: self._has(sequence) or self.wire.eof, f"the reply to request {sequence}, or the end")
        return self.reply(sequence) if self._has(sequence) else None

    def raw_reply(self, sequence: int, *, timeout: float | None = None) -> bytes:
        """The reply to a request as the bytes that came."""
        self.connect()
        self.wait(lambda: self._has(sequence), f"the reply to request {sequence}", timeout=timeout)
        data: bytes = self._replies[sequence].pop(0)[_BYTES]
        return data

    def arrived(self, sequence: int) -> bool:
        """Whether a reply is there already."""
        return self._has(sequence)

    @property
    def order(self) -> list[int]:
        """The sequences of the replies in the order in which they came."""
        self._sort()
        return list(self._order)

    def results(
        self,
        sequence: int,
        *meant: Any,
        types: Sequence[Type] | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Expect a successful reply with exactly these results."""
        reply = self.reply(sequence, timeout=timeout)
        if reply.get("error") is not None:
            raise Failure(
                "the call failed",
                expected=f"the results {meant!r}"[:300],
                seen=f"error: {reply['error']}"[:300],
            )
        came = reply.get("reply")
        if not isinstance(came, list) or len(came) != len(meant):
            raise Failure(
                "the reply is not the array of the results",
                expected=repr(list(meant))[:300],
                seen=repr(reply)[:300],
            )
        kinds = types if types is not None else ["any"] * len(meant)
        for index, (of, want, got) in enumerate(zip(kinds, meant, came, strict=True)):
            problem = difference(of, want, got, f"result {index}")
            if problem:
                raise Failure("another result than the service returns", expected=repr(want)[:300], seen=problem)
        return came

    def error(self, sequence: int, *, why: str) -> str:
        """Expect a reply with an error, and return its text; ``why`` says what makes it one."""
        reply = self.reply(sequence)
        error = reply.get("error")
        if error is None:
            raise Failure(f"{why}, and the host answered with success", expected="an error", seen=repr(reply)[:300])
        if not isinstance(error, str):
            raise Failure("the error of a reply is no string", expected="a string", seen=repr(error)[:300])
        return error

    def being_written(self) -> None:
        """Wait until a reply is on its way, with the suite told to hold."""
        if not self.look_for(lambda: bool(self.wire.offered)):
            self.wait(lambda: False, "the beginning of a reply", timeout=0)

    def assert_alive(self) -> None:
        """Check that the connection is alive: one more call goes through."""
        self.results(self.call("add", 40, 2), 42)

    def unasked(self) -> list[dict[str, Any]]:
        """The replies that came and that nobody has taken."""
        self._sort()
        return [reply for replies in self._replies.values() for reply in replies]

    def no_more(self, seconds: float = 0.15) -> None:
        """Check that no reply comes, or has come, that was not asked for."""

        def quiet() -> bool:
            self._sort()
            return not any(self._replies.values()) and not self.wire.in_message

        if not self.stays(quiet, seconds):
            raise Failure(
                "the host sent a reply too many", expected="nothing on the connection", seen=repr(self.unasked())[:300]
            )

    # --- the end -------------------------------------------------------------------------------

    def disconnect(self, status: int = 0) -> None:
        """Close the connection and have the plugin exit with ``status``.

        A host that has ended the plugin already is judged by what it says of it, see `ended`.
        """
        self.hello()
        self.wire.close()
        self.control.tell({"exit": status})

    def die(self, signal: str) -> None:
        """Have the plugin die by a signal, the connection with it."""
        self.tell(signal=signal)
        self.wait(lambda: self.control.gone, f"the plugin's death by {signal}", may_end=True, owed_by="the plugin")
        self.wire.close()

    def broken_off(self, why: str) -> None:
        """Expect the host to end the connection and, although the plugin then exits 0, to report a failure."""
        with self.trying(why):
            self.eof("end of file on the connection, which the host ends")
            if self.control.gone:
                raise Failure(
                    "the host killed its plugin instead of ending the connection",
                    expected="end of file",
                    seen="the plugin's death",
                )
        self.disconnect(0)
        self.ended(why=f"{why}, and the plugin exits 0", success=False)

    def ended(self, *, why: str, success: bool, says: str | None = None) -> str:
        """Expect the host to end by itself, with success or with a failure; returns its standard error.

        A failure must be told in a line on standard error, in which the pattern ``says`` must be found.
        """
        child = self.child
        assert child is not None
        self.wait(lambda: child.ended, f"the end of the host ({why})", may_end=True)
        self.pump.until(lambda: child.stderr_channel.eof, self.now() + 0.5)  # a plugin may hold it open
        status, text = child.status or 0, child.stderr.text().replace(self.control.folder, "FOLDER")
        if status < 0:
            raise Failure(
                f"{why}: the host died", expected="an exit status", seen=describe_status(status), note=text[-800:]
            )
        if success and status != 0:
            raise Failure(
                f"{why}: the host reports a failure",
                expected="exit 0",
                seen=f"exit {status}",
                note=text[-800:],
            )
        if not success and status == 0:
            raise Failure(
                f"{why}: the host reports success",
                expected="a status other than 0",
                seen="exit 0",
                note=text[-800:],
            )
        if not success and not text.strip():
            raise Failure(
                f"{why}: the host does not say what happened",
                expected="a line on standard error",
                seen="nothing",
            )
        if says is not None and not re.search(says, text):
            raise Failure(
                f"{why}: the host does not name it",
                expected=f"{says!r} to be found on standard error",
                seen=text[-400:],
            )
        return text

    def forget(self) -> None:
        """Forget the order of earlier replies as well; one that nobody asked for is kept, and found."""
        super().forget()
        self._order.clear()
        self._replies = {sequence: replies for sequence, replies in self._replies.items() if replies}

    def close(self) -> None:
        """Kill and reap host and stub plugin, close every descriptor."""
        super().close()
        if self._bridge is not None:
            self._bridge.close()
            self._bridge = None
        self.control.close()


_BYTES = "\0bytes"
"""A key that no message has: the reply's own bytes travel beside its value."""
