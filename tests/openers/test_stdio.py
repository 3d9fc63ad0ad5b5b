"""Standard input and output as the connection."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from .ways import DEADLINE, Offer, receive, receive_all, started, stdio

Reason = Callable[..., str]


@pytest.fixture
def offer(tmp_path: Path) -> Offer:
    return stdio(tmp_path)


def test_what_may_not_follow(reason: Reason) -> None:
    for url in ("stdio:x", "stdio:/", "stdio://x"):
        assert reason(url) == "nothing can follow the colon"
    assert reason("stdio:", "stdio:") == "standard input and output are both directions; give this URL alone"


def test_prints_go_to_standard_error(offer: Offer) -> None:
    """Those before the opening, too, as long as Python has them in its buffer; and in their order."""
    with started(
        offer,
        """
        print("1: before")
        duplex = open_stream(urls)
        print("2: after")
        sys.stderr.write("3: error\\n")
        os.write(1, b"4: descriptor\\n")
        os.system("echo 5: child; cat")
        print(f"6: {sys.stdin.read()!r}")
        write(duplex.writer, b"protocol")
        print("7: end", end="")
        """,
    ) as plugin:
        plugin.connect()
        assert receive_all(plugin.reader) == b"protocol"
        said = plugin.end()
    assert said == "1: before\n2: after\n3: error\n4: descriptor\n5: child\n6: ''\n7: end"


def test_it_is_taken_once(offer: Offer) -> None:
    with started(
        offer,
        """
        duplex = open_stream(urls)
        for _ in range(2):
            try:
                open_stream(urls)
            except OpenError as error:
                say(error)
            duplex.close()
        """,
    ) as plugin:
        plugin.connect()
        assert receive(plugin.reader) == b""
        assert plugin.end() == (
            "cannot open 'stdio:' for reading and writing:"
            " this process has used standard input and output for a connection already\n"
        ) * 2  # fmt: skip


def run(body: str, redirections: str) -> str:
    """Run a program under a shell that starts it with these redirections, and return what it said."""
    program = "import sys; from plugsvc.openers import open_stream\n" + textwrap.dedent(body)
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {redirections}', sys.executable, program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        timeout=DEADLINE,
        check=True,
        text=True,
    )
    return done.stderr


REFUSED = """
try:
    open_stream(["stdio:"])
except OSError as error:
    sys.stderr.write(str(error).partition("writing: ")[2])
"""


@pytest.mark.parametrize(
    ("redirections", "reason"),
    [
        ("<&-", "standard input is not open"),
        (">&-", "standard output is not open"),
        ("0>/dev/null", "standard input is not open for reading"),
        ("1</dev/null", "standard output is not open for writing"),
    ],
)
def test_streams_that_will_not_do(redirections: str, reason: str) -> None:
    assert run(REFUSED, redirections).startswith(reason)


def test_a_terminal() -> None:
    """Somebody runs a plugin by hand; its terminal is not made non-blocking."""
    import pty

    master, slave = pty.openpty()
    try:
        for redirections, name in (("<&9", "input"), (">&9", "output")):
            done = subprocess.run(
                ["/bin/bash", "-c", f'exec 9<>"$2"; exec "$0" -c "$1" {redirections}', sys.executable,
                 "import sys; from plugsvc.openers import open_stream\n" + REFUSED, os.ttyname(slave)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                cwd=Path(__file__).parents[2], timeout=DEADLINE, check=True, text=True,
            )  # fmt: skip
            assert done.stderr == f"standard {name} is a terminal, where no host can be"
        assert os.get_blocking(slave)
    finally:
        os.close(master)
        os.close(slave)


def test_a_refusal_leaves_the_streams_as_they_were() -> None:
    where = "import os; sys.stderr.write(' '.join(os.readlink(f'/proc/self/fd/{n}') for n in (0, 1)))"
    said = run(REFUSED + where, "0>/dev/null 1>>/dev/zero")
    assert said == "standard input is not open for reading/dev/null /dev/zero"


def test_without_standard_error(offer: Offer) -> None:
    with started(
        offer,
        """
        os.close(2)
        duplex = open_stream(urls)
        print("into nothing", flush=True)
        write(duplex.writer, os.readlink("/proc/self/fd/1").encode())
        """,
    ) as plugin:
        plugin.connect()
        assert receive_all(plugin.reader) == b"/dev/null"
        plugin.end()


def test_recordings() -> None:
    """A regular file can be played to a plugin, and another keep what it says."""
    body = """
        duplex = open_stream(["stdio:"])
        sys.stderr.write(repr((duplex.reader.read(5), duplex.writer.write(b"x"), sys.stdin.read())))
    """
    assert run(body, "<README.md >/dev/null") == repr((b"# plu", 1, ""))
