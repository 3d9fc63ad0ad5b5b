"""Private directories for sockets, named pipes and nonces; those of hosts that were killed are removed.

A directory is locked (`flock`) as long as its host lives; the kernel releases the lock when the host ends, however it
ends. So an unlocked directory has no owner, and the next host that makes one in the same place removes it. A process
id in the name would not tell: hosts in different PID namespaces may share a place.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress

from ...openers.descriptors import open_path

__all__ = ["PREFIX", "PrivateDirectory", "sweep"]

PREFIX = "plugsvc-bind-"
"""What the names of all private directories begin with; eight characters of `mkdtemp` follow."""

NAMES = frozenset(
    {"nonce", "replies", "requests", "ring", "socket"}
    | {f"ring.{ring}.{doorbell}" for ring in ("requests", "replies") for doorbell in ("filled", "drained")}
)
"""What binds create in a private directory. Of an abandoned directory nothing else is removed."""

ATTEMPTS = 100

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_swept: set[str] = set()


class PrivateDirectory:
    """A directory that only this user can enter, mode 0700; it exists until `remove`.

    `path` is absolute. `parent` is where to make it, by default where temporary files go.

    Raises `OSError` when it cannot be made; then nothing is left.
    """

    path: str

    def __init__(self, parent: str | os.PathLike[str] | None = None) -> None:
        place = os.path.abspath(tempfile.gettempdir() if parent is None else parent)
        if place not in _swept:
            _swept.add(place)
            sweep(place)
        self._removing = threading.Lock()
        self._names: list[str] = []
        self.path, fd = _make(place)
        self._locked: int | None = fd

    def entry(self, name: str) -> str:
        """Return the path of a file that is going to be made in the directory; `remove` removes it."""
        self._names.append(name)
        return os.path.join(self.path, name)

    def remove(self) -> None:
        """Remove the directory with its entries. Never fails; safe to call again, and from any thread.

        What is known by name is removed without opening anything: it must work when there are no descriptors left.
        """
        with self._removing:
            if self._locked is None:
                return
            _remove(self.path, self._names)
            with suppress(OSError):
                os.close(self._locked)
            self._locked = None


def _make(place: str) -> tuple[str, int]:
    for _ in range(ATTEMPTS):
        path = tempfile.mkdtemp(prefix=PREFIX, dir=place)
        try:
            fd = open_path(path, _FLAGS)
        except BaseException as error:
            with suppress(OSError):
                os.rmdir(path)
            if isinstance(error, FileNotFoundError):
                continue  # another host took it for abandoned
            raise
        # Whoever holds the lock removes the directory. Where there are no locks, nobody takes it for abandoned.
        if _lock(fd) is not False and _is_linked(fd):
            return path, fd
        os.close(fd)
    raise FileExistsError(errno.EEXIST, f"no private directory stays in {place!r}")


def _lock(fd: int) -> bool | None:
    """Lock a directory; return False when somebody else has locked it, None when it cannot be locked."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_linked(fd: int) -> bool:
    try:
        return os.fstat(fd).st_nlink > 0
    except OSError:
        return True  # it cannot be told, and hardly anybody is that quick


def _remove(path: str, names: Sequence[str]) -> None:
    for name in names:
        with suppress(OSError):
            os.unlink(os.path.join(path, name))
    try:
        os.rmdir(path)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            # Somebody of this user has put something else there.
            shutil.rmtree(path, ignore_errors=True)


def sweep(place: str) -> list[str]:
    """Remove the private directories in `place` whose hosts are gone; return their names. Never fails.

    Only directories of this user with mode 0700 that nobody has locked. A symbolic link is not followed, and what no
    bind creates stays, with its directory.
    """
    swept: list[str] = []
    with suppress(OSError):
        parent = open_path(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in os.listdir(parent):
                if name.startswith(PREFIX) and _remove_abandoned(parent, name):
                    swept.append(name)
        finally:
            os.close(parent)
    return swept


def _remove_abandoned(parent: int, name: str) -> bool:
    try:
        fd = open_path(name, _FLAGS, dir_fd=parent)
    except OSError:
        return False  # a link, no directory, another user's, or gone
    try:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != 0o700 or not _lock(fd):
            return False
        for entry in NAMES.intersection(os.listdir(fd)):
            os.unlink(entry, dir_fd=fd)
        os.rmdir(name, dir_fd=parent)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
