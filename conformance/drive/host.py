"""A host under test: the suite's probe is its plugin, and hands the connection to the suite."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.drive import probe
from conformance.drive.capabilities import Role, Testee
from conformance.drive.process import Child, describe_status
from conformance.drive.session import Session
from conformance.oracle import strict
from conformance.oracle.values import Type, difference, type_name
from conformance.outcomes import Fault, HarnessError, Unsupported
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
        patience: float = 10.0,
        scale: float = 1.0,
    ) -> None:
        """Start the host on the probe.

        ``info`` says how the probe's ``info`` behaves, ``opens=False`` makes it ignore its URLs, ``plugin`` names
        another executable instead of the probe.
        """
        super().__init__(patience=patience, scale=scale)
        role = testee.role(Side.HOST)
        assert role is not None
        self.role: Role = role
        self._folder = tempfile.mkdtemp(prefix="conformance-")
        self._hellos: list[dict[str, Any]] = []
        self._socks: list[socket.socket] = []
        self._run: socket.socket | None = None
        self._answers: list[dict[str, Any]] = []
        self._fds: list[int] = []
        self._opens = opens
        self._sequence = 0
        self._replies: dict[int, list[dict[str, Any]]] = {}
        self._order: list[int] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._listener.bind(f"{self._folder}/probe.sock")
            self._listener.listen(8)
            self.pump.watch(self._listener.fileno(), self._accept)
            executable = plugin or self._write_probe({"info": info or {}, "open": opens})
            argv = [*testee.argv, *role.path, *(["--bind", bind] if bind else []), executable, *args]
            self.child = Child(self.pump, argv)
            self.child.keep_stdout()
        except BaseException:
            self.close()
            raise

    def _write_probe(self, config: dict[str, Any]) -> str:
        config["rendezvous"] = f"{self._folder}/probe.sock"
        Path(self._folder, "config.json").write_text(json.dumps(config), encoding="utf-8")
        words = [sys.executable, "-I", "-S", probe.__file__, f"{self._folder}/config.json"]
        path = Path(self._folder, "probe")
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    # --- the probe -----------------------------------------------------------------------------

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(True)
        self._socks.append(sock)
        self.pump.watch(sock.fileno(), lambda: self._heard(sock))

    def _heard(self, sock: socket.socket) -> None:
        data, fds, _, _ = socket.recv_fds(sock, 1 << 16, 4)
        self._fds.extend(fds)
        if not data:
            self.pump.unwatch(sock.fileno())
            self._socks.remove(sock)
            sock.close()
            return
        message = json.loads(data)
        if "phase" not in message:
            self._answers.append(message)
            return
        self._hellos.append(message)
        if message["phase"] == "run":
            self._run = sock

    def hello(self) -> dict[str, Any]:
        """What the probe reported of itself when the host executed it."""
        self.wait(lambda: self._run is not None, "the execution of the plugin")
        return next(message for message in self._hellos if message["phase"] == "run")

    @property
    def executed(self) -> bool:
        """Whether the host has executed the plugin (discovery does not count)."""
        return self._run is not None

    def connect(self) -> None:
        """Wait until the probe has opened the connection, and take it over."""
        if self.wire.attached:
            return
        self.hello()
        if not self._opens:
            raise HarnessError("this probe does not open its connection")
        self.wait(lambda: bool(self._answers), "a connection that the plugin can open")
        answer = self._answers.pop(0)
        if "error" in answer:
            raise Fault(
                "the plugin cannot open what the host offered",
                expected="URLs that the plugin can open",
                seen=f"{answer['error']} for {self.urls()}",
            )
        fds = self._fds
        self.wire.attach(fds[0], fds[-1])
        self._fds = []

    def urls(self) -> list[str]:
        """The URLs that the host gave on the command line."""
        words = self.hello()["argv"]
        return [words[i + 1] for i, word in enumerate(words[:-1]) if word == "--host"]

    def tell(self, **order: Any) -> None:
        """Give the probe an order."""
        self.hello()
        assert self._run is not None
        self._run.send(json.dumps(order).encode())

    def answer(self) -> dict[str, Any]:
        """The probe's next answer to an order."""
        self.wait(lambda: bool(self._answers), "the plugin's own work", owed_by="the plugin, run by the host,")
        return self._answers.pop(0)

    # --- the connection ------------------------------------------------------------------------

    def request(self, type_: str, namespace: str = NAMESPACE, *, sequence: int | None = None, **keys: Any) -> int:
        """Send a request and return its sequence."""
        self.connect()
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        message = {"sequence": sequence, "type": type_, "namespace": namespace, **keys}
        self.send(strict.dumps(message) + b"\n")
        return sequence

    def call(self, name: str, *args: Any, namespace: str = NAMESPACE, sequence: int | None = None) -> int:
        """Send a call and return its sequence."""
        return self.request("call", namespace, name=name, args=list(args), sequence=sequence)

    def need(self, *types: Type) -> None:
        """Raises Unsupported unless the testee has an ``echo_T`` for each type."""
        for of in types:
            if not self.role.takes(of):
                raise Unsupported(f"the testee does not declare the type {type_name(of)}")

    def echo(self, of: Type, value: Any) -> int:
        """Call the ``echo_T`` of a type; Unsupported where the testee has none."""
        self.need(of)
        return self.call(f"echo_{type_name(of)}" if of != "any" else "echo", value)

    def _sort(self) -> None:
        while self.wire.frames:
            data = self.wire.frames[0]
            reply = self.wire.take()
            sequence = reply.get("sequence")
            if type(sequence) is not int:
                raise Fault("a reply without a sequence", expected="the sequence of a request", seen=repr(reply)[:300])
            reply[_BYTES] = data
            self._replies.setdefault(sequence, []).append(reply)
            self._order.append(sequence)

    def _has(self, sequence: int) -> bool:
        self._sort()
        return bool(self._replies.get(sequence))

    def reply(self, sequence: int, *, patience: float | None = None) -> dict[str, Any]:
        """The reply to a request, judged strictly; others that came meanwhile are kept for their own."""
        self.connect()
        self.wait(
            lambda: self._has(sequence) or (self.wire.eof and not self.wire.frames),
            f"the reply to request {sequence}",
            patience=patience,
        )
        if not self._has(sequence):
            raise Fault(
                f"the connection ended instead of the reply to request {sequence}",
                expected="a reply",
                seen="end of file",
            )
        reply = self._replies[sequence].pop(0)
        reply.pop(_BYTES)
        return reply

    def raw_reply(self, sequence: int) -> bytes:
        """The reply to a request as the bytes that came."""
        self.connect()
        self.wait(lambda: self._has(sequence), f"the reply to request {sequence}")
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

    def results(self, sequence: int, *meant: Any, types: Sequence[Type] | None = None) -> list[Any]:
        """Expect a successful reply with exactly these results."""
        reply = self.reply(sequence)
        if reply.get("error") is not None:
            raise Fault(
                "the call failed",
                expected=f"the results {meant!r}"[:300],
                seen=f"error: {reply['error']}"[:300],
            )
        came = reply.get("reply")
        if not isinstance(came, list) or len(came) != len(meant):
            raise Fault(
                "the reply is not the array of the results",
                expected=repr(list(meant))[:300],
                seen=repr(reply)[:300],
            )
        kinds = types if types is not None else ["any"] * len(meant)
        for index, (of, want, got) in enumerate(zip(kinds, meant, came, strict=True)):
            problem = difference(of, want, got, f"result {index}")
            if problem:
                raise Fault("another result than the service returns", expected=repr(want)[:300], seen=problem)
        return came

    def error(self, sequence: int, *, why: str) -> str:
        """Expect a reply with an error, and return its text; ``why`` says what makes it one."""
        reply = self.reply(sequence)
        error = reply.get("error")
        if error is None:
            raise Fault(f"{why}, and the host answered with success", expected="an error", seen=repr(reply)[:300])
        if not isinstance(error, str):
            raise Fault("the error of a reply is no string", expected="a string", seen=repr(error)[:300])
        return error

    def goes_on(self) -> None:
        """Check that the connection is alive: one more call goes through."""
        self.results(self.call("add", 40, 2), 42)

    def no_more(self, seconds: float = 0.15) -> None:
        """Check that no reply comes that was not asked for."""
        if not self.holds(lambda: not self.wire.frames and not self.wire.in_message, seconds):
            raise Fault("the host sent a reply too many", expected="nothing on the connection")

    # --- the end -------------------------------------------------------------------------------

    def leave(self, status: int = 0) -> None:
        """Close the connection and have the plugin exit with ``status``."""
        self.connect()
        self.wire.close()
        self.tell(exit=status)

    def ended(self, *, why: str, success: bool, says: str | None = None) -> str:
        """Expect the host to end by itself, with success or with a failure; returns its standard error.

        ``says`` must then stand in what the host printed on standard error.
        """
        child = self.child
        assert child is not None
        self.wait(lambda: child.ended and child.stderr_channel.eof, f"the end of the host ({why})", may_end=True)
        status, text = child.status or 0, child.stderr.text()
        if status < 0:
            raise Fault(
                f"{why}: the host died",
                expected="an exit status",
                seen=describe_status(status),
                note=text[-800:],
            )
        if success and status != 0:
            raise Fault(
                f"{why}: the host reports a failure",
                expected="exit 0",
                seen=f"exit {status}",
                note=text[-800:],
            )
        if not success and status == 0:
            raise Fault(
                f"{why}: the host reports success",
                expected="a status other than 0",
                seen="exit 0",
                note=text[-800:],
            )
        if not success and not text.strip():
            raise Fault(
                f"{why}: the host does not say what happened",
                expected="a line on standard error",
                seen="nothing",
            )
        if says is not None and says not in text:
            raise Fault(f"{why}: the host does not name it", expected=f"{says!r} on standard error", seen=text[-400:])
        return text

    def close(self) -> None:
        """Kill and reap host and probe, close every descriptor."""
        for sock in self._socks:
            sock.close()  # the probe ends by itself at this, the kill of leftovers is for the rest
        self._listener.close()
        super().close()
        for fd in self._fds:
            os.close(fd)
        shutil.rmtree(self._folder, ignore_errors=True)


_BYTES = "\0bytes"
"""A key that no message has: the reply's own bytes travel beside its value."""
