"""URLs to byte streams: one small module for each scheme."""

from .registry import OPEN_TIMEOUT, FileOpener, open_stream, register_file_opener, schemes
from .stream import Duplex, FdStream, Stream
from .url import HOST_FLAG, URL, check_count, parse_url, with_file_path, with_file_path_pair

__all__ = [
    "HOST_FLAG",
    "OPEN_TIMEOUT",
    "URL",
    "Duplex",
    "FdStream",
    "FileOpener",
    "Stream",
    "check_count",
    "open_stream",
    "parse_url",
    "register_file_opener",
    "schemes",
    "with_file_path",
    "with_file_path_pair",
]
