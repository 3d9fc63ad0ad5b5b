"""Run a plugin with a recorder between it and its host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import NoReturn, Unpack

from ..errors import OpenError, PlugsvcError
from ..host.binds import BINDS, bind_of
from ..host.channel import Channel
from ..host.context import Context
from ..host.plugin import Command, Manifest, Plugin
from ..host.process import Exit
from ..host.settings import NextOptions
from ..openers.descriptors import standard_reserved
from ..openers.registry import open_stream
from ..openers.url import check_count
from .driver import Driver
from .ends import Side
from .recording import RecordingWriter
from .signals import Signals, end_as, end_with_parent
from .urls import HostWords, find_host_words, transport_of

__all__ = ["record"]

DEFAULT_TRANSPORT = "devfd"


class CannotStart(PlugsvcError):
    """The plugin cannot be started. `status`: as a shell has it, 127 not found, 126 not executable."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def record(plugin: Sequence[str], path: str, transport: str | None = None) -> NoReturn:
    """Become, or run, the plugin of this command line, and end as it ends.

    Without `--host` there is nothing to record: this process becomes the plugin (`info`, for one). `transport`: how
    the plugin is connected, the name of a bind; by default as the host offers it, or inherited pipes where no bind does
    that. When the host's URLs cannot be opened here, the plugin gets them itself, and the recording says why.

    Raises `RecordingError` when the file cannot be written, and `CannotStart`.
    """
    words = find_host_words(plugin)
    if not words.urls:
        _become(plugin)
    recording = RecordingWriter(path)
    signals = Signals()
    offered = ""
    try:
        check_count(words.urls)
        offered = transport_of(words.urls)
        duplex = open_stream(words.urls)
    except OpenError as error:
        recording.begin(plugin, {"host": offered, "plugin": ""})
        recording.event("failed", side="host", reason=str(error))
        recording.close()
        _become(plugin)
    chosen = transport or (offered if offered in BINDS else DEFAULT_TRANSPORT)
    recording.begin(plugin, {"host": offered, "plugin": chosen})
    recording.event("open", side="host")
    driver = Driver(Side(duplex), recording, signals)
    status = _run(words, chosen, driver)
    recording.close()
    if recording.problem is not None:
        say(f"the recording is incomplete: {recording.problem}")
    end_as(status)


def say(text: str) -> None:
    """Write one line to standard error, if there is one."""
    try:
        os.write(2, f"plugsvc: {text}\n".encode())
    except OSError:
        return


def _become(plugin: Sequence[str]) -> NoReturn:
    try:
        os.execvp(plugin[0], list(plugin))
    except (OSError, ValueError) as error:
        raise _cannot_start(plugin[0], error) from error


def _cannot_start(name: str, error: Exception) -> CannotStart:
    reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    return CannotStart(f"{name} cannot be started: {reason}", 127 if isinstance(error, FileNotFoundError) else 126)


def _run(words: HostWords, transport: str, driver: Driver) -> int:
    """Connect the plugin over this transport and run it; return how it ended, as `Popen.returncode` says it."""
    started: list[subprocess.Popen[bytes]] = []

    def serve(channel: Channel) -> None:
        driver.connected(Side(channel.duplex, channel.linger))

    def start(**options: Unpack[NextOptions]) -> Exit:
        process = _start(words, options)
        started.append(process)
        driver.run(process)
        return Exit(process.returncode)

    name = words.before[0]
    bind = bind_of(transport, trusted=True)
    bind.run(Context(), Plugin(name, Manifest()), Command(), serve, start)
    # Who was accepted at the last moment is connected now.
    return driver.finish(started[0])


def _start(words: HostWords, options: NextOptions) -> subprocess.Popen[bytes]:
    """Start the plugin as the host would have: same process group, standard streams and inherited descriptors."""
    argv = words.replaced(list(options.get("prepend_args", ())))
    stdin, stdout = options.get("standard_streams", (None, None))
    for fd in options.get("pass_fds", ()):
        os.set_inheritable(fd, True)
    try:
        with standard_reserved():
            process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, close_fds=False, preexec_fn=end_with_parent())
    except (OSError, ValueError) as error:
        raise _cannot_start(argv[0], error) from error
    started = options.get("on_start")
    if started is not None:
        started()
    return process
