"""How the suite, as host, offers a connection to a plugin under test."""

from __future__ import annotations

from conformance.drive.endpoints.base import Endpoint, file_url
from conformance.drive.endpoints.memory import Shared, shm
from conformance.drive.endpoints.pipes import (
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
from conformance.drive.endpoints.sockets import NOBODY, Listening, fd, stdio_socket, tcp, tcp_ipv6, unix, unix_abstract

__all__ = [
    "NOBODY",
    "Endpoint",
    "LateFifo",
    "Listening",
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
