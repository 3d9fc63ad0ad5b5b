"""Where hypothesis keeps the examples that failed: a folder, or a Redis server that several machines share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

SCHEMES = ("redis://", "rediss://", "unix://")


class DatabaseError(Exception):
    """A database that cannot be used; one line."""


def open_database(where: str) -> ExampleDatabase:
    """The database at a folder, which is made, or at a URL that the package ``redis`` understands.

    Raises:
        DatabaseError: the folder cannot be made, the server does not answer, or the package is not installed.
    """
    if "://" not in where:
        try:
            Path(where).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"{where}: {error.strerror}") from None
        return DirectoryBasedExampleDatabase(where)
    if not where.startswith(SCHEMES):
        raise DatabaseError(f"{where}: expected a folder or a URL that begins with {', '.join(SCHEMES)}")
    try:
        import redis
        from hypothesis.extra.redis import RedisExampleDatabase
    except ImportError:
        raise DatabaseError(f"{where}: needs the package redis (pip install 'plugsvc[redis]')") from None
    try:
        server = redis.Redis.from_url(where, socket_connect_timeout=5, socket_timeout=10)
        server.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise DatabaseError(f"{where}: {error}") from None
    return RedisExampleDatabase(server, key_prefix=b"plugsvc-conformance:")


class OfCase(ExampleDatabase):
    """The part of a database that belongs to one case.

    Hypothesis tells tests apart by their source, which is the same for all generated cases.
    """

    def __init__(self, database: ExampleDatabase, case: str) -> None:
        super().__init__()
        self._database, self._prefix = database, f"{case}:".encode()

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """The examples under a key."""
        return self._database.fetch(self._prefix + key)

    def save(self, key: bytes, value: bytes) -> None:
        """Add an example."""
        self._database.save(self._prefix + key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        """Remove an example."""
        self._database.delete(self._prefix + key, value)
