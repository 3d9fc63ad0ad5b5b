"""What docs/shm.md says is what happens: its example, byte by byte, and its C."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugsvc.host.binds.shm import create
from plugsvc.openers import open_stream
from plugsvc.openers.shm import doorbell_paths
from plugsvc.openers.shm_memory import CONSUMER_WAITING, HEAD, PRODUCER_WAITING, REPLIES, REQUESTS, TAIL

from .rings import DEADLINE, ends, read_all, read_exactly, rung, write_all

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "shm.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("## 8 ")[2].partition("## 9 ")[0]


def dump(file: int) -> str:
    """The file, as the page prints it."""
    lines: list[str] = []
    for offset in range(0, os.fstat(file).st_size, 16):
        line = os.pread(file, 16, offset)
        if not any(line):
            if lines[-1] != "*":
                lines.append("*")
            continue
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        lines.append(f"{offset:04x}  {line[:8].hex(' ')}  {line[8:].hex(' ')}  |{text}|")
    return "\n".join(lines) + "\n"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert os.listdir(tmp_path) == []


def test_the_example(directory: Path) -> None:
    expected = re.findall(r"```text\n(.*?)```", EXAMPLE, re.DOTALL)
    assert len(expected) == 3
    path = str(directory / "ring")
    host = create(path, 64, 64)
    memory = os.open(path, os.O_RDONLY)
    replies_writer, requests_reader = ends(host.writer, host.reader)
    assert requests_reader.arm()
    assert dump(memory) == expected[0]

    plugin = open_stream([f"shm://{path}"])
    requests_writer, replies_reader = ends(plugin.writer, plugin.reader)
    first = b'{"sequence":0,"type":"getManifest","namespace":"x"}\n'
    assert requests_writer.write(first) == len(first) == 52
    assert rung(requests_reader)
    assert replies_reader.arm()
    assert dump(memory) == expected[1]

    assert requests_reader.read(1000) == first
    assert replies_writer.write(b'{"sequence":0,"reply":[null]}\n') == 30
    assert rung(replies_reader)
    assert replies_reader.read(1000) == b'{"sequence":0,"reply":[null]}\n'
    second = first.replace(b"0", b"1")
    assert requests_writer.write(second) == 52
    assert not rung(requests_reader)
    assert not rung(replies_writer)
    assert dump(memory) == expected[2]

    assert requests_writer.write(b"x" * 33) == 12
    assert requests_writer.arm()
    assert os.pread(memory, 8, 0x100) == (1).to_bytes(8, "little")
    assert requests_reader.read(1000) == second + b"x" * 12
    assert rung(requests_writer)
    plugin.close()
    host.close()
    os.close(memory)


def test_the_table_of_the_file() -> None:
    """Where the page says that a word is, it is."""
    words = {"tail": TAIL, "producer waiting": PRODUCER_WAITING, "head": HEAD, "consumer waiting": CONSUMER_WAITING}
    rows = re.findall(r"^\| (0x\w+) \| 8 \| `(requests|replies)` ([a-z ]+) \| written by the (\w+) \|$", PAGE, re.M)
    assert len(rows) == 8
    for offset, name, word, writer in rows:
        ring = {"requests": REQUESTS, "replies": REPLIES}[name]
        assert int(offset, 16) == ring.begin + 8 * words[word]
        produces = word in ("tail", "producer waiting")
        assert writer == ("plugin" if (name == "requests") == produces else "host")
    assert {ring.end - ring.begin for ring in (REQUESTS, REPLIES)} == {512}


def test_the_names_of_the_doorbells() -> None:
    block = PAGE.partition("the five names are\n\n```text\n")[2].partition("```")[0]
    assert [line.split()[0] for line in block.splitlines()] == ["P", *doorbell_paths("P")]


# In C

compiler = shutil.which("cc")
needs_compiler = pytest.mark.skipif(compiler is None, reason="not run: there is no C compiler (cc)")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    built = tmp_path_factory.mktemp("c") / "shm_echo"
    source = str(DOCS / "shm_echo.c")
    assert compiler is not None
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", source, "-o", str(built)]
    subprocess.run(command, check=True, timeout=DEADLINE)
    return str(built)


@needs_compiler
@pytest.mark.parametrize(
    ("requests", "replies", "size"), [(64, 64, 3000), (128, 64, 20_000), (64, 4096, 50_000), (65536, 65536, 4_000_000)]
)
def test_c_and_python(requests: int, replies: int, size: int, program: str, directory: Path) -> None:
    """Everything comes back, through rings that hold a fraction of it, with both sides asleep most of the time."""
    path = str(directory / "ring")
    host = create(path, requests, replies)
    writer, reader = ends(host.writer, host.reader)
    data = os.urandom(size)
    process = subprocess.Popen([program, path])
    try:
        writing = threading.Thread(target=write_all, args=(writer, data))
        writing.start()
        assert read_exactly(reader, size) == data
        writing.join(DEADLINE)
        writer.close()
        assert read_all(reader) == b""
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        host.close()


@needs_compiler
def test_c_refuses_what_is_corrupt(program: str, directory: Path) -> None:
    path = str(directory / "ring")
    host = create(path, 64, 64)
    with open(path, "r+b") as file:
        file.write(b"plugshn")
    done = subprocess.run([program, path], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stderr) == (1, f"{path}: not a good memory file\n")
    host.close()
    for each in (path, *doorbell_paths(path)):
        os.unlink(each)
