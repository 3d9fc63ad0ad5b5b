"""What a run leaves in the file system: a testee that is killed cannot remove its temporary files, so they are kept
together and removed with the run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 40
"""So many bytes the path of the usual place may have; a socket is made some folders below, and its path has 107 at
most."""


class TemporaryFolderError(Exception):
    """No folder for temporary files can be used; one line."""


@contextmanager
def keep_temporary_files_together() -> Iterator[str]:
    """Let the temporary files of this process, and of those that it starts, go into one folder; remove it at the end.

    It is in the usual place, or in ``/tmp`` where that does not do (`why_unsuitable`). Files that somebody still
    writes, or that belong to another user, are left: they are no reason for a run to fail.

    Raises:
        TemporaryFolderError: there is no place that does.
    """
    before = os.environ.get("TMPDIR")
    folder = tempfile.TemporaryDirectory(prefix="conformance-", dir=_place(), ignore_cleanup_errors=True)
    with folder as path:
        os.chmod(path, 0o711)  # cases about other users have those pass through
        os.environ["TMPDIR"] = path
        tempfile.tempdir = None  # looked up anew
        try:
            yield path
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before
            tempfile.tempdir = None


def why_unsuitable(folder: str) -> str:
    """Why the suite cannot have its temporary files in a folder, or nothing."""
    try:
        folder.encode("utf-8")
    except UnicodeEncodeError:
        return "its path is not UTF-8"
    if len(os.fsencode(folder)) > _LONGEST:
        return "its path is too long for the sockets below it"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "it cannot be written"
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return "it is mounted noexec, and the suite has to execute a plugin in it"
    return ""


def _place() -> str:
    try:
        usual = tempfile.gettempdir()
    except OSError as error:
        raise TemporaryFolderError(f"temporary files: {error.strerror or error}; set TMPDIR") from None
    for folder in (usual, "/tmp", "/var/tmp"):
        if not why_unsuitable(folder):
            return folder
    shown = usual.encode("utf-8", "backslashreplace").decode()
    raise TemporaryFolderError(f"temporary files in {shown}: {why_unsuitable(usual)}; set TMPDIR to another folder")
