"""Plugins of another user, and in another PID namespace: what works there, and what is said where it does not."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .ways import DEADLINE, WAYS, Offer, fd_pair, receive, started

Reason = Callable[..., str]

NOBODY = 65534
AS_NOBODY = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="not run: only root can start a process of another user, and this is not root"
)

IN_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")

PING = """
duplex = open_stream(urls)
write(duplex.writer, b"ping")
say(read_all(duplex.reader))
"""

REFUSED = """
try:
    open_stream(urls)
except OpenError as error:
    say(error)
"""


@pytest.fixture(scope="module")
def namespace() -> tuple[str, ...]:
    """What starts a process in a PID namespace of its own, with a procfs that fits."""
    if shutil.which("unshare") is None:
        pytest.skip("not run: there is no command `unshare`")
    done = subprocess.run([*IN_NAMESPACE, "true"], capture_output=True, text=True, timeout=DEADLINE, check=False)
    if done.returncode:
        pytest.skip(f"not run: this machine allows no PID namespace ({done.stderr.strip()})")
    return IN_NAMESPACE


def ping(offer: Offer, body: str = PING, launcher: tuple[str, ...] = ()) -> None:
    with started(offer, body, launcher) as plugin:
        plugin.connect()
        assert receive(plugin.reader) == b"ping"
        os.write(plugin.writer, b"pong")
        plugin.close()
        assert plugin.end() == "b'pong'\n"


def refusal(offer: Offer, body: str = REFUSED, launcher: tuple[str, ...] = ()) -> str:
    with started(offer, body, launcher) as plugin:
        return plugin.end()


@needs_root
@pytest.mark.parametrize(
    "way",
    ["fd", "fd-pair", "fd-twice", "file", "unix-abstract", "tcp-without-nonce", "stdio", "stdio-socket", "own-duplex"],
)
def test_what_another_user_can_use(way: str, tmp_path: Path) -> None:
    """Inherited descriptors above all. `file` too: a pipe of another user cannot be opened anew, but used as it is."""
    ping(WAYS[way](tmp_path), AS_NOBODY + PING)


@needs_root
@pytest.mark.parametrize(
    ("way", "why"),
    [
        (
            "unix",
            "permission denied (the socket is for another user; descriptors that are inherited need no such right",
        ),
        ("tcp", "cannot be read: permission denied (it is for another user)"),
    ],
)
def test_what_another_user_cannot(way: str, why: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert why in refusal(WAYS[way](tmp_path), AS_NOBODY + REFUSED)


def procfs(directory: Path) -> Offer:
    offer = fd_pair(directory)
    offer.urls = [f"file:///proc/{os.getpid()}/fd/{number}" for number in offer.pass_fds]
    offer.pass_fds = []
    return offer


@needs_root
def test_another_user_cannot_look_into_our_process(tmp_path: Path) -> None:
    offer = procfs(tmp_path)
    ours = offer.connect()
    assert refusal(offer, AS_NOBODY + REFUSED) == (
        f"cannot open '{offer.urls[0]}' for reading: permission denied (process {os.getpid()} is another user's,"
        " or not to be looked into; a host can let descriptors be inherited instead: devfd, fd)\n"
    )
    for number in ours:
        os.close(number)


@needs_root
@pytest.mark.parametrize("abstract", [False, True])
def test_a_listener_of_another_user_is_not_our_host(abstract: bool, reason: Reason, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        name = f"plugsvc test {os.getpid()}"
        listener.bind(b"\0" + name.encode() if abstract else os.fsencode(tmp_path / "s"))
        os.seteuid(NOBODY)  # the kernel notes who listens
        try:
            listener.listen()
        finally:
            os.seteuid(0)
        url = f"unix-abstract:{name}" if abstract else f"unix://{tmp_path}/s"
        assert reason(url) == (f"who listens there is user {NOBODY}, neither root nor this process's own user 0")
        with listener.accept()[0] as accepted:
            assert accepted.recv(1) == b""


@pytest.mark.parametrize("way", ["file", "fd", "fd-pair", "unix", "unix-abstract", "tcp", "stdio"])
def test_what_works_in_another_pid_namespace(way: str, namespace: tuple[str, ...], tmp_path: Path) -> None:
    ping(WAYS[way](tmp_path), launcher=namespace)


def test_the_hosts_process_is_not_to_be_seen_from_a_pid_namespace(namespace: tuple[str, ...], tmp_path: Path) -> None:
    offer = procfs(tmp_path)
    ours = offer.connect()
    assert refusal(offer, launcher=namespace) == (
        f"cannot open '{offer.urls[0]}' for reading: no such file or directory (there is no process {os.getpid()} here:"
        " it has ended, or this is another PID namespace; a host can let descriptors be inherited instead: devfd, fd)\n"
    )
    for number in ours:
        os.close(number)


def test_without_procfs_inherited_descriptors_are_used_as_they_are(namespace: tuple[str, ...], tmp_path: Path) -> None:
    """`/dev/fd` leads into procfs, which some sandboxes lack."""
    launcher = (*namespace, "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"')
    offer = WAYS["file"](tmp_path)
    ping(offer, "assert not os.path.exists('/dev/fd')\n" + PING, launcher)


def test_a_launcher_that_closes_descriptors(tmp_path: Path) -> None:
    closing = (
        "bash",
        "-c",
        'for n in /proc/$$/fd/*; do n=${n##*/}; [ $n -gt 2 ] && eval "exec $n>&-"; done; exec "$@"',
        "-",
    )
    for way in ("file", "fd-pair"):
        offer = WAYS[way](tmp_path)
        ours = offer.connect()
        assert (
            "(whatever started this process has closed it, as sudo does; a host can offer a path instead:"
            " unix, fifo, procfs)\n"
        ) in refusal(offer, launcher=closing)
        for number in ours:
            os.close(number)
