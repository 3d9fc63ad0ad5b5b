"""The private directories of binds: removed without a descriptor, and swept when their host was killed."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.host.binds.directory import PREFIX, PrivateDirectory, sweep

from .conftest import ROOT, TIMEOUT


def abandoned(place: Path, name: str = "abandoned", *entries: str) -> Path:
    """Make a directory as a host that was killed leaves it."""
    path = place / f"{PREFIX}{name}"
    path.mkdir(mode=0o700)
    for entry in entries:
        (path / entry).touch()
    return path


def test_it_is_private_and_goes_with_its_entries(tmp_path: Path) -> None:
    directory = PrivateDirectory(tmp_path)
    assert stat.S_IMODE(os.stat(directory.path).st_mode) == 0o700
    os.mkfifo(directory.entry("replies"))
    directory.entry("never made")
    directory.remove()
    directory.remove()
    assert os.listdir(tmp_path) == []


def test_what_others_put_there_goes_with_it(tmp_path: Path) -> None:
    directory = PrivateDirectory(tmp_path)
    Path(directory.path, "strange").mkdir()
    directory.remove()
    assert os.listdir(tmp_path) == []


def test_it_is_removed_when_there_are_no_descriptors_left(tmp_path: Path) -> None:
    directory = PrivateDirectory(tmp_path)
    Path(directory.entry("nonce")).touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.pipe()
        directory.remove()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_making_one_sweeps_those_whose_hosts_are_gone(tmp_path: Path) -> None:
    abandoned(tmp_path, "one", "nonce")
    abandoned(tmp_path, "two", "ring", "ring.requests.filled")
    directory = PrivateDirectory(tmp_path)
    assert [str(path) for path in tmp_path.iterdir()] == [directory.path]
    directory.remove()


def test_one_that_is_in_use_stays(tmp_path: Path) -> None:
    directory = PrivateDirectory(tmp_path)
    assert sweep(str(tmp_path)) == []
    assert os.path.isdir(directory.path)
    directory.remove()


def test_links_and_others_directories_stay(tmp_path: Path) -> None:
    target = abandoned(tmp_path / "..", f"target-{tmp_path.name}", "nonce")
    try:
        (tmp_path / f"{PREFIX}link").symlink_to(target)
        (tmp_path / f"{PREFIX}file").touch()
        (tmp_path / "else").mkdir(mode=0o700)
        abandoned(tmp_path, "open").chmod(0o755)
        strange = abandoned(tmp_path, "strange", "nonce", "work")
        within = abandoned(tmp_path, "within")
        (within / "nonce").mkdir()
        names = sorted(os.listdir(tmp_path))
        assert sweep(str(tmp_path)) == []
        assert sorted(os.listdir(tmp_path)) == names
        assert (target / "nonce").exists()
        assert os.listdir(strange) == ["work"]  # that is not a bind's
    finally:
        (target / "nonce").unlink()
        target.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make directories of other users")
def test_directories_of_other_users_stay(tmp_path: Path) -> None:
    os.chown(abandoned(tmp_path), 1234, -1)
    assert sweep(str(tmp_path)) == []


def test_many_hosts_at_once_lose_nothing(tmp_path: Path) -> None:
    """Sweepers run all the time while directories are made: whoever has one keeps it."""
    over = threading.Event()
    lost: list[str] = []

    def sweeping() -> None:
        while not over.is_set():
            sweep(str(tmp_path))

    def making() -> None:
        for _ in range(200):
            directory = PrivateDirectory(tmp_path)
            if not os.path.isdir(directory.path):
                lost.append(directory.path)
            directory.remove()

    sweepers = [threading.Thread(target=sweeping) for _ in range(2)]
    makers = [threading.Thread(target=making) for _ in range(3)]
    for thread in sweepers + makers:
        thread.start()
    for thread in makers:
        thread.join(TIMEOUT)
    over.set()
    for thread in sweepers:
        thread.join(TIMEOUT)
    assert lost == []
    assert os.listdir(tmp_path) == []


def test_a_place_without_locks_is_used_and_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(fd: int, operation: int) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(fcntl, "flock", flock)
    directory = PrivateDirectory(tmp_path)
    assert sweep(str(tmp_path)) == []
    directory.remove()
    assert os.listdir(tmp_path) == []


HOST = """
import os, sys
sys.path.insert(0, {root!r})
import plugsvc
from plugsvc.host.binds import bind_of
from plugsvc.host.binds.shm import ShmBind
os.environ["TMPDIR"] = {place!r}
registry = plugsvc.Registry()
registry.define("test")
bind = ShmBind(directory={place!r}, trusted=True) if {name!r} == "shm" else bind_of({name!r})
plugsvc.execute(plugsvc.new_plugin({path!r}), [], bind=registry.bind(bind), stdout="inherit")
"""


@pytest.mark.parametrize("name", ["fifo", "unix", "tcp", "shm"])
def test_what_a_killed_host_leaves_is_swept(name: str, plugin: Callable[..., str], tmp_path: Path) -> None:
    path = plugin("print(os.getpid(), flush=True); signal.pause()")
    place = tmp_path / "place"
    place.mkdir()
    code = HOST.format(root=str(ROOT), place=str(place), name=name, path=path)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        child = int(host.stdout.readline())
        [left] = os.listdir(place)
        assert sweep(str(place)) == []  # the host lives
        host.send_signal(signal.SIGKILL)
        host.wait()
        assert sweep(str(place)) == [left]
        os.kill(child, signal.SIGKILL)
    assert os.listdir(place) == []
