"""Find plugins: every executable below a directory that answers `info` with a manifest."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from ..errors import DiscoveryError, RegistrationError
from .checks import check_args, check_count, check_function, check_instance, check_path, check_seconds
from .context import Context
from .jobs import Job, JobGroup
from .plugin import INFO_OUTPUT_LIMIT, INFO_TIMEOUT, Plugin, absolute_path, new_plugin

__all__ = ["DISCOVERY_PARALLELISM", "DiscoveryHandler", "discover_plugins"]

DISCOVERY_PARALLELISM = 4

DiscoveryHandler = Callable[[str, DiscoveryError], None]
"""Is told of a file (its path) that was refused, and why; what it raises ends the discovery."""


def discover_plugins(
    root: str | os.PathLike[str],
    *,
    glob: str | Iterable[str] = (),
    handler: DiscoveryHandler | None = None,
    parallelism: int = DISCOVERY_PARALLELISM,
    timeout: float = INFO_TIMEOUT,
    output_limit: int = INFO_OUTPUT_LIMIT,
    context: Context | None = None,
) -> list[Plugin]:
    """Return the plugins below the directory `root`, in the order of their paths.

    Every file that this process may execute is asked for its `info`, `parallelism` at a time; each has `timeout`
    seconds and may write `output_limit` bytes.
    Symbolic links are followed, to files and to directories; a file or directory that can be reached in
    several ways is looked at once. A file that is not executable is passed over, except when a glob asks for
    it: then it is refused.

    With `glob`, one pattern or several, only files that match one of them are looked at. A pattern without `/` is
    matched against the file's name, in whatever directory it is; one with `/` against the path from the root of the
    discovery, without a leading `/`. `*` and `?` do not match `/`, `**` matches any number of directories, `[abc]`,
    `[a-z]` and `[!abc]` one character.

    Refused files go to `handler(path, error)`, from several threads but never two at a time; without a
    handler they are logged as warnings of the logger `plugsvc.discovery`. No order is promised for that.

    Raises `DiscoveryError` when `root` is missing, is not a directory or cannot be read, or when the context
    says stop, and `RegistrationError` for arguments that make no sense.
    """
    patterns = tuple(_compile(each) for each in check_args("glob", [glob] if isinstance(glob, str) else glob))
    workers = check_count("parallelism", parallelism)
    timeout, output_limit = check_seconds("timeout", timeout), check_count("output_limit", output_limit)
    tell = _log if handler is None else check_function("handler", handler)
    outer = Context() if context is None else check_instance(Context)("context", context)
    top = absolute_path(check_path("root", root))
    if not os.path.isdir(top):
        what = "not a directory" if os.path.exists(top) else "no such directory"
        raise DiscoveryError(f"cannot look for plugins in {top}: {what}")
    limits = Context(parent=outer)
    found: list[Plugin] = []

    def ask(path: str) -> Plugin | DiscoveryError:
        try:
            return new_plugin(path, timeout=timeout, output_limit=output_limit, context=limits)
        except DiscoveryError as error:
            return error

    def take(path: str, job: Job[Plugin | DiscoveryError]) -> None:
        answer = job.result()
        if isinstance(answer, Plugin):
            found.append(answer)
        elif limits.reason is None:
            tell(path, answer)

    asked: deque[tuple[str, Job[Plugin | DiscoveryError]]] = deque()
    with JobGroup(workers, "plugsvc-discover", partial(limits.cancel, "discovery was interrupted", kill=True)) as group:
        for path in _candidates(top, patterns, tell):
            if limits.reason is not None:
                break
            asked.append((path, group.submit(partial(ask, path))))
            while asked and asked[0][1].finished:
                take(*asked.popleft())
        for path, job in asked:
            job.wait()
            take(path, job)
    reason = limits.reason
    if reason is not None:
        raise DiscoveryError(f"looking for plugins in {top} was stopped: {reason}")
    return found


def _log(path: str, error: DiscoveryError) -> None:
    import logging

    logging.getLogger("plugsvc.discovery").warning("%s", error)


def _candidates(top: str, patterns: Sequence[re.Pattern[str]], tell: DiscoveryHandler) -> Iterator[str]:
    """Yield the files to be asked, in the order of their paths."""
    seen: set[tuple[int, int]] = set()
    for directory, names in _walk(top, seen, tell):
        for name in names:
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, top)
            if patterns and not any(each.fullmatch(relative) for each in patterns):
                continue
            try:
                status = os.stat(path)
            except OSError:
                # A symbolic link to nowhere, or a file that has just been removed.
                continue
            identity = (status.st_dev, status.st_ino)
            if not stat.S_ISREG(status.st_mode) or identity in seen:
                continue
            if os.access(path, os.X_OK):
                seen.add(identity)
                yield path
            elif patterns:
                tell(path, DiscoveryError(f"{path}: not executable"))


def _walk(directory: str, seen: set[tuple[int, int]], tell: DiscoveryHandler) -> Iterator[tuple[str, list[str]]]:
    """Yield each directory with its files, sorted, following links but entering no directory twice."""
    status = os.stat(directory)
    seen.add((status.st_dev, status.st_ino))
    waiting = [directory]
    while waiting:
        current = waiting.pop()
        try:
            names = sorted(os.listdir(current))  # not scandir: it is to be closed, and an exception may come before
        except OSError as error:
            refused = DiscoveryError(f"{current}: cannot be read: {error.strerror or error}")
            if current == directory:
                raise refused from error
            tell(current, refused)
            continue
        files: list[str] = []
        below: list[str] = []
        for name in names:
            path = os.path.join(current, name)
            try:
                directory_status = os.stat(path) if os.path.isdir(path) else None
            except OSError:
                # A link that leads nowhere or in a circle, or what was removed just now: no plugin in any case.
                continue
            if directory_status is None:
                files.append(name)
                continue
            status = directory_status
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                below.append(path)
        yield current, files
        waiting.extend(reversed(below))


_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^]]*\]|.", re.DOTALL)


def _compile(pattern: str) -> re.Pattern[str]:
    if not pattern.strip("/"):
        raise RegistrationError(f"glob has {pattern!r}, which is not a pattern for files")
    parts = ["" if "/" in pattern else "(?:.*/)?"]
    for token in _TOKEN.findall(pattern.lstrip("/")):
        if token == "**/":
            parts.append("(?:.*/)?")
        elif token == "**":
            parts.append(".*")
        elif token == "*":
            parts.append("[^/]*")
        elif token == "?":
            parts.append("[^/]")
        elif len(token) > 1:
            inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner.replace('^', chr(92) + '^')}]")
        else:
            parts.append(re.escape(token))
    return re.compile("".join(parts), re.DOTALL)
