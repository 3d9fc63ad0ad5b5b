"""How the suite, as host, offers a connection to a plugin under test: a table of ways."""

from __future__ import annotations

from conformance.drive.offers.base import Offer, file_url
from conformance.drive.offers.memory import Shared, shm
from conformance.drive.offers.pipes import (
    LateFifo,
    devfd,
    fd_pair,
    fd_twice,
    fifo,
    late_fifo,
    procfs,
    single_pty,
    stdio,
)
from conformance.drive.offers.sockets import NOBODY, Listening, fd, stdio_socket, tcp, tcp_ipv6, unix, unix_abstract

__all__ = [
    "NOBODY",
    "LateFifo",
    "Listening",
    "Offer",
    "Shared",
    "devfd",
    "fd",
    "fd_pair",
    "fd_twice",
    "fifo",
    "file_url",
    "late_fifo",
    "procfs",
    "shm",
    "single_pty",
    "stdio",
    "stdio_socket",
    "tcp",
    "tcp_ipv6",
    "unix",
    "unix_abstract",
]
