"""The floor: two processes and two pipes, each side sleeping in `read` until the other has written. No library."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys

import driver  # type: ignore[import-not-found]

HEAD = struct.Struct("<Qqq")
"""How many bytes follow, and two numbers to add."""
CAPACITY = 1024 * 1024


def read_exactly(fd: int, size: int) -> bytes:
    """Return so many bytes. Raises `EOFError`."""
    if size == HEAD.size:
        data = os.read(fd, size)  # so little is written at once, and read at once
        if len(data) == size:
            return data
        raise EOFError
    parts = []
    while size:
        data = os.read(fd, min(size, CAPACITY))
        if not data:
            raise EOFError
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """Write everything."""
    written = os.write(fd, data)
    rest = memoryview(data)[written:]
    while rest:
        rest = rest[os.write(fd, rest) :]


def other_side(reader: int, writer: int) -> None:
    """Add numbers, and send texts back."""
    while True:
        try:
            size, a, b = HEAD.unpack(read_exactly(reader, HEAD.size))
            text = read_exactly(reader, size) if size else b""
        except EOFError:
            return
        write_all(writer, HEAD.pack(size, a + b, 0))
        if text:
            write_all(writer, text)


def main(control: str) -> None:
    """Start the other side and make calls."""
    (their_read, write), (read, their_write) = os.pipe(), os.pipe()
    for fd in (write, their_write):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, CAPACITY)
    command = [sys.executable, __file__, "other", str(their_read), str(their_write)]
    other = subprocess.Popen(command, pass_fds=[their_read, their_write])
    os.close(their_read)
    os.close(their_write)

    def add(a: int, b: int) -> int:
        os.write(write, HEAD.pack(0, a, b))
        return int(HEAD.unpack(os.read(read, HEAD.size))[1])

    def echo(text: str) -> str:
        data = text.encode()
        write_all(write, HEAD.pack(len(data), 0, 0))
        write_all(write, data)
        size = HEAD.unpack(read_exactly(read, HEAD.size))[0]
        return read_exactly(read, size).decode()

    driver.serve(control, driver.Calls(add=add, echo=echo, threads=False, reason="it has no messages, only bytes"))
    os.close(write)
    other.wait(10)


if __name__ == "__main__":
    if sys.argv[1] == "other":
        other_side(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main(sys.argv[1])
