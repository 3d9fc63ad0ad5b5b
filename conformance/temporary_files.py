"""What a run leaves in the file system: a testee that is killed cannot remove its temporary files, so they are kept
together and removed with the run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keep_temporary_files_together"]

_LONGEST = 40
"""So many bytes the path of the usual place may have; a socket is made some folders below, and its path has 107 at
most."""


@contextmanager
def keep_temporary_files_together() -> Iterator[str]:
    """Let the temporary files of this process, and of those that it starts, go into one folder; remove it at the end.

    It is in the usual place, or in ``/tmp`` where paths of sockets would become too long there. Files that somebody
    still writes, or that belong to another user, are left: they are no reason for a run to fail.
    """
    before = os.environ.get("TMPDIR")
    place = None if len(os.fsencode(tempfile.gettempdir())) <= _LONGEST or not os.path.isdir("/tmp") else "/tmp"
    with tempfile.TemporaryDirectory(prefix="conformance-", dir=place, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # cases about other users have those pass through
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = None  # looked up anew
        try:
            yield folder
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before
            tempfile.tempdir = None
