"""Messages that are nested deeply are read, or refused, on any stack; they do not end the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading

from plugsvc.wire import ReplyReader, RequestReader

def message(opener, closer, levels):
    return b'{"results":[' + opener * levels + b"1" + closer * levels + b"]}"

def run():
    for reader in (ReplyReader, RequestReader):
        for opener, closer in ((b"[", b"]"), (b'{"k":', b"}"), (b"[", b""), (b'{"k":', b"")):
            for levels in (450, 2_000, 20_000):
                data = message(opener, closer, levels)
                for pieces in ([data + b"\\n"], [data[:7], data[7:]], [data, b"\\n"]):
                    stream = reader(max_depth=int(sys.argv[2]))
                    count = 0
                    for piece in pieces:
                        if stream.error is None:
                            count += len(stream.feed(piece))
                    reason = stream.error and stream.error.reason
                    print(levels, bool(closer), count, reason)

if sys.argv[1] == "main":
    run()
else:
    threading.stack_size(int(sys.argv[1]) * 1024)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""
MAIN = ["sh", "-c", 'ulimit -s 192 && exec "$0" "$@"', sys.executable, "-c", PROGRAM, "main"]
CUT_SHORT = {'450 False 0 expected "," or "}", got "]"', '450 False 0 expected "," or "]", got "}"'}
THREADS = {size: [sys.executable, "-c", PROGRAM, str(size)] for size in (32, 128)}


def outcomes(command: list[str], max_depth: int) -> set[str]:
    ended = subprocess.run(
        [*command, str(max_depth)], capture_output=True, text=True, timeout=100, check=False, stdin=subprocess.DEVNULL
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return set(ended.stdout.splitlines())


@pytest.mark.parametrize("command", [*THREADS.values(), MAIN], ids=[*map(str, THREADS), "main"])
def test_the_limit_on_depth_comes_before_the_stack(command: list[str]) -> None:
    reason = "nested more than 500 levels deep"
    assert outcomes(command, 500) == {
        "450 True 1 None",
        *CUT_SHORT,
        *(f"{levels} {complete} 0 {reason}" for levels in (2_000, 20_000) for complete in (True, False)),
    }


@pytest.mark.parametrize("command", [THREADS[32]], ids=["32"])
def test_a_higher_limit_does_not_need_a_larger_stack(command: list[str]) -> None:
    reason = "nested more than 5000 levels deep"
    assert outcomes(command, 5_000) == {
        "450 True 1 None",
        "2000 True 1 None",
        *CUT_SHORT,
        *(text.replace("450", "2000") for text in CUT_SHORT),
        *(f"20000 {complete} 0 {reason}" for complete in (True, False)),
    }
