"""The plugin side of the contract: instructions in, outcomes out, one JSON object a line."""

from __future__ import annotations

import os
import queue
import re
import threading
from typing import IO, Any

import exactjson
from contract.errors import CallError, Misuse, Unsupported
from plugin import Plugin

GRACE = 0.25  # seconds for running instructions to end after the last one was read
ID = re.compile(rb'"id"\s*:\s*(\d+)')


class Control:
    """Carries out instructions with a plugin."""

    def __init__(self, plugin: Plugin, outcomes: IO[bytes]) -> None:
        self._plugin = plugin
        self._outcomes = outcomes
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._unfinished = 0
        self._changed = threading.Condition()

    def run(self, instructions: IO[bytes]) -> None:
        """Carry out one instruction after the other until the input ends; `async` ones run in threads of their own."""
        threading.Thread(target=self._work, daemon=True).start()
        for line in instructions:
            self._count(1)
            self._waiting.put(line)
        with self._changed:  # what is still going on then is not waited for
            self._changed.wait_for(lambda: self._unfinished == 0, GRACE)

    def _count(self, step: int) -> None:
        with self._changed:
            self._unfinished += step
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            line = self._waiting.get()
            try:
                instruction = exactjson.loads(line.decode("utf-8", "replace"))
            except (ValueError, RecursionError) as error:
                found = ID.search(line)
                self._write(int(found[1]) if found else None, "error", f"the instruction cannot be read: {error}")
                continue
            if instruction.get("async") is True:
                threading.Thread(target=self._carry_out, args=(instruction,), daemon=True).start()
            else:
                self._carry_out(instruction)

    def _carry_out(self, instruction: dict[str, Any]) -> None:
        try:
            kind, value = "ok", self._perform(instruction)
        except CallError as error:
            kind, value = "error", str(error)
        except Unsupported as reason:
            kind, value = "unsupported", str(reason)
        except Exception as panic:
            kind, value = "panic", str(panic) if isinstance(panic, Misuse) else f"{type(panic).__name__}: {panic}"
        self._write(instruction.get("id"), kind, value)

    def _write(self, identity: Any, kind: str, value: Any) -> None:
        line = exactjson.dumps({"id": identity, kind: value}).encode() + b"\n"
        with self._lock:
            self._outcomes.write(line)
            self._outcomes.flush()
        self._count(-1)

    def _perform(self, instruction: dict[str, Any]) -> Any:
        """Carry out one instruction; what is returned belongs under `ok`."""
        op = instruction.get("op")
        namespace, name = instruction.get("namespace", ""), instruction.get("name", "")
        params, results = instruction.get("params", []), instruction.get("results", [])
        args = instruction.get("args", [])
        if op == "call":
            return self._plugin.call(namespace, name, params, results, args)
        if op == "hasNamespace":
            return self._plugin.has_namespace(namespace)
        if op == "getManifest":
            return self._plugin.get_manifest(namespace)
        if op == "listServices":
            return self._plugin.list_services(namespace)
        if op == "hosted":
            return self._plugin.hosted()
        if op == "bind":
            return self._plugin.bind(namespace, name, params, results, instruction.get("misuse"))
        if op == "fallback":
            return self._plugin.fallback(namespace, name, args)
        if op == "exit":
            os._exit(instruction["code"])
        raise Unsupported(f"the op {op!r}")
