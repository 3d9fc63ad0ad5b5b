"""URLs to byte streams: one small module for each scheme."""

from .large import keep_large_blocks
from .registry import (
    OPEN_TIMEOUT as OPEN_TIMEOUT,
    FileOpener,
    open_stream as open_stream,
    register_file_opener,
    schemes as schemes,
)
from .stream import Duplex, FdStream, Stream
from .url import (
    HOST_FLAG as HOST_FLAG,
    URL,
    check_count as check_count,
    parse_url as parse_url,
    with_file_path,
    with_file_path_pair,
)

__all__ = [
    "URL",
    "Duplex",
    "FdStream",
    "FileOpener",
    "Stream",
    "keep_large_blocks",
    "register_file_opener",
    "with_file_path",
    "with_file_path_pair",
]
