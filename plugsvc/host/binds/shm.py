"""Two rings in shared memory, as `shm:///dev/shm/DIRECTORY/ring`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable

from ...errors import RegistrationError
from ...openers.descriptors import open_path
from ...openers.shm import doorbell_paths, with_shm_path
from ...openers.shm_memory import DOORBELLS, REPLIES, REQUESTS, Memory, check_capacity
from ...openers.shm_ring import RingReader, RingWriter
from ...openers.stream import Duplex
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .directory import PrivateDirectory
from .ends import channel_of_duplex

__all__ = ["ShmBind"]

CAPACITY = 1024 * 1024
_SHARED_MEMORY = "/dev/shm"


class ShmBind:
    """A memory file and four FIFOs in a directory that only this user can enter.

    It is removed with the plugin's first bytes: then the plugin has opened everything, and nothing is left behind,
    however host and plugin end.

    The fastest bind, for plugins that know the scheme `shm`, run as the same user and see this file system.
    `capacity` is that of each ring in bytes, a power of two. `directory` is where the private directory is
    made, by default in `/dev/shm`, or where temporary files go if that is missing or full.

    A plugin can kill its host over shared memory: it can cut the file short, and touching the missing part is a SIGBUS.
    A file that has a path cannot be sealed against that. So it takes `trusted`: True for all plugins, or a function
    that says for each plugin whether it is trusted; the execution of one that is not raises `RegistrationError`.

    Raises `ValueError` for a capacity that no ring can have, and `RegistrationError` without `trusted`.
    """

    name = "shm"

    def __init__(
        self,
        capacity: int = CAPACITY,
        directory: str | os.PathLike[str] | None = None,
        *,
        trusted: bool | Callable[[Plugin], bool] = False,
    ) -> None:
        check_capacity(capacity)
        if not trusted:
            raise RegistrationError(
                "over shm a plugin can kill its host, and so it is for trusted plugins only:"
                " say ShmBind(trusted=True), or give a function that decides for each plugin"
            )
        self._trusted = trusted
        self._capacity = capacity
        self._directories = [os.fspath(directory)] if directory is not None else [_SHARED_MEMORY, tempfile.gettempdir()]

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        if callable(self._trusted) and not self._trusted(plugin):
            raise RegistrationError(f"plugin {plugin.name} is not trusted, and over shm it could kill its host")
        directory, path, duplex = self._make()
        try:
            serve(channel_of_duplex(duplex))
            return next(prepend_args=with_shm_path(path))
        finally:
            directory.remove()

    def _make(self) -> tuple[PrivateDirectory, str, Duplex]:
        for parent in self._directories:
            directory = None
            try:
                directory = PrivateDirectory(parent)
                path = directory.entry("ring")
                for doorbell in DOORBELLS:
                    directory.entry(f"ring.{doorbell}")
                return directory, path, create(path, self._capacity, self._capacity, begun=directory.remove)
            except BaseException as error:
                if directory is not None:
                    directory.remove()
                if not isinstance(error, OSError) or parent is self._directories[-1]:
                    raise
        raise AssertionError("there is no directory to try")


def create(path: str, requests: int, replies: int, *, begun: Callable[[], object] | None = None) -> Duplex:
    """Make the memory file and its FIFOs, with rings of these capacities, and return the host's ends.

    `begun` is called when the plugin's first bytes were read: it needs the names no longer.
    Raises `OSError`; then what was made may be left in the directory.
    """
    fd = open_path(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        memory = Memory.create(fd, requests, replies)
    finally:
        os.close(fd)
    with contextlib.ExitStack() as undo:
        undo.callback(memory.release)
        undo.callback(memory.release)
        paths = dict(zip(DOORBELLS, doorbell_paths(path), strict=True))
        for doorbell in paths.values():
            os.mkfifo(doorbell, 0o600)
        heard = [_listen(paths[doorbell], undo) for doorbell in ("requests.filled", "replies.drained")]
        rung = [_reach(paths[doorbell], undo) for doorbell in ("requests.drained", "replies.filled")]
        undo.pop_all()
        reader = RingReader(memory, REQUESTS, heard[0], rung[0], begun=begun)
        return Duplex(reader, RingWriter(memory, REPLIES, heard[1], rung[1]))


def _listen(path: str, undo: contextlib.ExitStack) -> int:
    fd = open_path(path, os.O_RDONLY | os.O_NONBLOCK)
    undo.callback(os.close, fd)
    return fd


def _reach(path: str, undo: contextlib.ExitStack) -> int:
    # A FIFO cannot be opened for writing while nobody reads it; afterwards it may be without a reader.
    reader = open_path(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fd = open_path(path, os.O_WRONLY | os.O_NONBLOCK)
    finally:
        os.close(reader)
    undo.callback(os.close, fd)
    return fd
