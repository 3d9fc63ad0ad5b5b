"""Opening shared memory: what is made, what is checked, and who gets it."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from plugsvc.errors import OpenError
from plugsvc.host.binds.shm import create
from plugsvc.openers import Duplex, open_stream, schemes
from plugsvc.openers.shm import doorbell_paths, with_shm_path
from plugsvc.openers.shm_memory import Memory
from plugsvc.openers.shm_ring import PIECE

from .rings import ends, read_exactly, write_all

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Reason = Callable[..., str]
GONE = "the host is gone, or another process has opened it already"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ring")


@pytest.fixture
def host(path: str) -> Iterator[Duplex]:
    made = create(path, 64, 128)
    yield made
    made.close()


def url(path: str) -> str:
    return with_shm_path(path)[1]


def patch(path: str, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def test_the_scheme_is_known() -> None:
    assert "shm" in schemes()


def test_what_the_host_makes(path: str, host: Duplex) -> None:
    made = {name: os.stat(Path(path).parent / name) for name in os.listdir(Path(path).parent)}
    assert set(made) == {os.path.basename(each) for each in (path, *doorbell_paths(path))}
    for name, status in made.items():
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert stat.S_ISREG(status.st_mode) if name == "ring" else stat.S_ISFIFO(status.st_mode)
    assert made["ring"].st_size == 4096 + 64 + 128
    assert made["ring"].st_blocks * 512 >= made["ring"].st_size, "there is memory behind all of it"
    header = Path(path).read_bytes()
    assert header[:128] == struct.pack("<8sIIIIQ96x", b"plugshm\n", 1, 4096, 64, 128, 4096 + 64 + 128)
    assert not any(header[128:])
    assert host.reader.fileno() != host.writer.fileno()


def test_the_plugin_takes_it_and_removes_the_names(path: str, host: Duplex) -> None:
    plugin = open_stream([url(path)])
    assert os.listdir(Path(path).parent) == []
    assert plugin.urls == (url(path),)
    for one, other in ((plugin, host), (host, plugin)):
        writer, reader = ends(one.writer, other.reader)
        assert writer.write(b"hello") == 5
        assert reader.read(100) == b"hello"
    plugin.close()
    assert read_exactly(ends(host.writer, host.reader)[1], 1) == b""


def test_every_descriptor_is_closed_on_exec(path: str, host: Duplex) -> None:
    before = set(os.listdir("/proc/self/fd"))
    plugin = open_stream([url(path)])
    new = set(os.listdir("/proc/self/fd")) - before
    assert len(new) >= 4
    for number in new:
        assert not os.path.exists(f"/proc/self/fd/{number}") or not os.get_inheritable(int(number))
    plugin.close()


@pytest.mark.parametrize("spell", ["shm://{}", "SHM://{}", "shm:{}", "shm://localhost{}", "shm://{}?query#fragment"])
@pytest.mark.parametrize("name", ["ring", "rïng #?%41"])
def test_urls(spell: str, name: str, tmp_path: Path) -> None:
    path = str(tmp_path / name)
    host = create(path, 64, 64)
    open_stream([spell.format(quote(path))]).close()
    host.close()


def test_arguments_for_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert with_shm_path("/dev/shm/a b/ring") == ["--host", "shm:///dev/shm/a%20b/ring"]
    monkeypatch.chdir(tmp_path)
    assert with_shm_path("ring") == ["--host", f"shm://{tmp_path}/ring"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("shm:", "it has no path"),
        ("shm:ring", "it has no absolute path"),
        ("shm://ring", "it names the host 'ring', shared memory has none (was a relative path meant?)"),
        ("shm:///no/such/ring", f"no such file or directory ({GONE})"),
        ("shm:///dev/null", "it is not a regular file"),
        ("shm:///tmp", "is a directory"),
    ],
)
def test_urls_that_are_refused(given: str, why: str, reason: Reason) -> None:
    assert reason(given) == why


def test_one_url_carries_both_directions(path: str, host: Duplex, reason: Reason) -> None:
    assert reason(url(path), url(path)) == "it stands for both directions; give this URL alone"


def test_who_comes_second(path: str, host: Duplex, reason: Reason) -> None:
    plugin = open_stream([url(path)])
    assert reason(url(path)) == f"no such file or directory ({GONE})"
    assert ends(plugin.writer, host.reader)[0].write(b"x") == 1
    plugin.close()


def test_who_comes_at_the_same_time(path: str, host: Duplex, reason: Reason, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have everything open; whose removal of the name succeeds has the connection."""
    remove = os.unlink

    def too_late(what: str) -> None:
        if what == path:
            remove(what)
        remove(what)

    monkeypatch.setattr(os, "unlink", too_late)
    assert reason(url(path)) == "another process has opened it in the meantime"


def test_a_host_that_is_gone(path: str, reason: Reason) -> None:
    create(path, 64, 64).close()
    before = os.listdir(Path(path).parent)
    assert reason(url(path)) == f"ring.requests.filled: no such device or address ({GONE})"
    assert os.listdir(Path(path).parent) == before, "a failed opening changes nothing"


def test_opening_can_be_tried_again(path: str, host: Duplex, reason: Reason) -> None:
    doorbell = doorbell_paths(path)[0]
    os.rename(doorbell, doorbell + "x")
    assert reason(url(path)) == f"ring.requests.filled: no such file or directory ({GONE})"
    os.rename(doorbell + "x", doorbell)
    open_stream([url(path)]).close()


@pytest.mark.parametrize("which", range(4))
def test_what_is_not_a_doorbell(which: int, path: str, host: Duplex, reason: Reason) -> None:
    doorbell = doorbell_paths(path)[which]
    os.unlink(doorbell)
    Path(doorbell).touch()
    assert reason(url(path)) == f"{os.path.basename(doorbell)} is not a FIFO"
    os.unlink(doorbell)
    os.symlink("/dev/null", doorbell)
    assert reason(url(path)) == f"{os.path.basename(doorbell)}: it is a symbolic link"


def test_a_symbolic_link(path: str, host: Duplex, reason: Reason) -> None:
    os.symlink(path, path + ".link")
    assert reason(url(path + ".link")) == "it is a symbolic link"


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can give files away, and this is not root")
@pytest.mark.parametrize("which", ["ring", "ring.replies.filled"])
def test_files_of_another_user(which: str, path: str, host: Duplex, reason: Reason) -> None:
    os.chown(Path(path).with_name(which), 65534, -1)
    assert reason(url(path)) == "it belongs to user 65534, this process to user 0"


CORRUPT = "its header is corrupt: "
SIZES = CORRUPT + "it has {} bytes, says {}, and its rings need {}"
POWER = "bytes; expected a power of two, 64 to 1073741824"


@pytest.mark.parametrize(
    ("offset", "data", "why"),
    [
        (0, b"\x7fELF", "it is not a memory file with two rings: it begins with b'\\x7fELFshm\\n'"),
        (0, bytes(8), f"it is not a memory file with two rings: it begins with {bytes(8)!r}"),
        (8, b"\2", "its rings have version 2, this program knows version 1"),
        (8, b"\0", "its rings have version 0, this program knows version 1"),
        (12, struct.pack("<I", 64), CORRUPT + "the data begins at 64, not at 4096"),
        (16, struct.pack("<I", 0), f"{CORRUPT}requests: a ring of 0 {POWER}"),
        (16, struct.pack("<I", 32), f"{CORRUPT}requests: a ring of 32 {POWER}"),
        (16, struct.pack("<I", 65), f"{CORRUPT}requests: a ring of 65 {POWER}"),
        (20, struct.pack("<I", 1 << 31), f"{CORRUPT}replies: a ring of 2147483648 {POWER}"),
        (20, struct.pack("<I", 1 << 30), SIZES.format(4288, 4288, 4096 + 64 + (1 << 30))),
        (24, struct.pack("<Q", 4289), SIZES.format(4288, 4289, 4288)),
        (32, b"\1", CORRUPT + "reserved bytes are not zero"),
        (127, b"\1", CORRUPT + "reserved bytes are not zero"),
        (0x080, struct.pack("<Q", 65), "its requests are corrupt: head 0, tail 65, capacity 64"),
        (0x180, struct.pack("<Q", 1), "its requests are corrupt: head 1, tail 0, capacity 64"),
        (0x280, b"\xff" * 8, "its replies are corrupt: head 0, tail 18446744073709551615, capacity 128"),
    ],
)
def test_a_corrupt_file(offset: int, data: bytes, why: str, path: str, host: Duplex, reason: Reason) -> None:
    patch(path, offset, data)
    assert reason(url(path)) == why
    assert len(os.listdir(Path(path).parent)) == 5


@pytest.fixture
def cut(path: str, host: Duplex) -> Iterator[Callable[[int], None]]:
    """Return a function that changes the size of the file. The host's side could not touch what is missing."""
    yield lambda size: os.truncate(path, size)
    os.truncate(path, 4288)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 4095])
def test_a_file_that_is_too_short(size: int, path: str, cut: Callable[[int], None], reason: Reason) -> None:
    cut(size)
    assert reason(url(path)) == f"it has {size} bytes, too few for a memory file with two rings"


@pytest.mark.parametrize("size", [4096, 4287, 4289])
def test_a_file_of_another_size_than_it_says(size: int, path: str, cut: Callable[[int], None], reason: Reason) -> None:
    """Touching what is not there is a SIGBUS, so the size is checked before anything is mapped."""
    cut(size)
    assert reason(url(path)) == SIZES.format(size, 4288, 4288)


@pytest.mark.parametrize("capacity", [0, -64, 63, 96, 1 << 31])
def test_capacities_that_no_ring_can_have(capacity: int, path: str) -> None:
    with pytest.raises(ValueError, match="expected a power of two, 64 to 1073741824"):
        create(path, 64, capacity)


def test_another_byte_order(path: str, host: Duplex, reason: Reason, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugsvc.openers.shm_memory.sys.byteorder", "big")
    assert reason(url(path)) == "shared memory is little-endian, and this machine is not"


def test_a_host_may_write_before_the_plugin_has_come(path: str, host: Duplex) -> None:
    writer, reader = ends(host.writer, host.reader)
    assert writer.write(b"early" * 20) == 100
    assert reader.arm()
    assert not reader.ready()
    assert reader.read(1) is None, "that nobody has come yet is not the end"
    plugin = open_stream([url(path)])
    assert ends(host.writer, plugin.reader)[1].read(1000) == b"early" * 20
    plugin.close()
    assert read_exactly(reader, 1) == b""


def test_large_rings(path: str) -> None:
    host = create(path, 1 << 20, 1 << 22)
    plugin = open_stream([url(path)])
    writer, reader = ends(host.writer, plugin.reader)
    data = os.urandom(3 << 20)
    write_all(writer, data)
    assert read_exactly(reader, len(data)) == data
    assert writer.write(b"x" * (PIECE + 1)) == PIECE
    plugin.close()
    host.close()


def test_memory_is_unmapped_when_both_directions_are_closed(path: str, host: Duplex) -> None:
    with open(path, "r+b") as file:
        memory = Memory.open(file.fileno())
    memory.release()
    assert memory.map.size() == 4288
    memory.release()
    with pytest.raises(ValueError, match="closed"):
        memory.map.size()


def test_no_descriptor_is_left_after_a_failure(path: str, host: Duplex) -> None:
    before = len(os.listdir("/proc/self/fd"))
    os.unlink(doorbell_paths(path)[3])
    with pytest.raises(OpenError):
        open_stream([url(path)])
    assert len(os.listdir("/proc/self/fd")) == before
