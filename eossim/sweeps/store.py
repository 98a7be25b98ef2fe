"""A file that keeps finished cells: it survives a crash, a full disk and two sweeps at once.

It is one SQLite database in write-ahead mode. Every group of cells that comes back is one transaction: a process that
is killed loses what was in flight, and nothing else.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .._check import existing_folder
from .fingerprint import differences

#: Marks the file as ours ("eoss") and says how its tables are laid out.
_APPLICATION, _FORMAT = 0x656F7373, 2
#: Seconds that one process waits for another to finish writing.
_PATIENCE = 60.0
_MANY = 500
_TABLES = (
    "CREATE TABLE sweep (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE cells (key TEXT PRIMARY KEY, payload BLOB, checksum INTEGER, error TEXT)",
)
_WRITE = (
    "INSERT INTO cells VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, "
    "checksum = excluded.checksum, error = excluded.error WHERE cells.payload IS NULL"
)


class Store:
    """Finished cells of one function.

    Args:
        path: The file; made if there is none.
        identity: What the function is (see `fingerprint.identity`).

    Raises:
        ValueError: If the file is no store, damaged, or belongs to another function.
        OSError: If it cannot be written to.
    """

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self.path = path
        existing_folder(path)
        if path.is_dir():
            raise ValueError(f"store must be a file, and {str(path)!r} is a folder")
        with self._errors():
            self._database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            self._database.text_factory = lambda text: text.decode("utf-8", "backslashreplace")  # it may be damaged
            try:
                self._open(identity)
            except BaseException:
                self._database.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):  # a full disk: what is written stays in the file beside it
            self._database.close()

    def load(self, keys: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        """Yield the position and the payload of every cell of `keys` that is finished.

        Raises:
            ValueError: If what was stored does not match its checksum.
        """
        place = {key: k for k, key in enumerate(keys)}
        with self._errors():
            for first in range(0, len(keys), _MANY):
                some = keys[first : first + _MANY]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, payload, checksum FROM cells WHERE payload IS NOT NULL AND key IN ({marks})"
                for key, payload, checksum in self._database.execute(query, some):
                    if key not in place or not isinstance(payload, bytes) or _checksum(key, payload) != checksum:
                        raise ValueError(self._damaged(f"the cell {key} does not match its checksum"))
                    yield place[key], payload

    def write(self, cells: Iterable[tuple[str, bytes | None, str]]) -> None:
        """Keep cells, all or none of them: key, payload, and the error if there is no payload.

        A finished cell stays as it is; a failed one is replaced.
        """
        rows = [(k, p, None if p is None else _checksum(k, p), None if p is not None else e) for k, p, e in cells]
        with self._errors(), self._transaction():
            self._database.executemany(_WRITE, rows)

    def _open(self, identity: Mapping[str, str]) -> None:
        execute = self._database.execute
        (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = execute("PRAGMA application_id").fetchone()  # after: another process may make both just now
        if tables and application != _APPLICATION:
            raise ValueError(f"{str(self.path)!r} is a database of something else: name another file as store")
        self._write_ahead()
        execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not tables:  # new, and not made by another process in the meantime
                execute(f"PRAGMA application_id = {_APPLICATION}")
                execute(f"PRAGMA user_version = {_FORMAT}")
                for table in _TABLES:
                    execute(table)
                execute("INSERT INTO sweep VALUES ('identity', ?)", [json.dumps(dict(identity))])
        (version,) = execute("PRAGMA user_version").fetchone()
        if version != _FORMAT:
            raise ValueError(f"{str(self.path)!r} has format {version}; this eossim reads format {_FORMAT}")
        (check,) = execute("PRAGMA quick_check(1)").fetchone()
        if check != "ok":
            raise ValueError(self._damaged(check))
        try:
            (text,) = execute("SELECT value FROM sweep WHERE key = 'identity'").fetchone()
            stored = dict(json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError(self._damaged("it does not say whose cells it holds")) from error
        changed = differences(identity, stored)
        if changed:
            listed = "\n".join(f"  {line}" for line in changed)
            raise ValueError(
                f"store {str(self.path)!r} belongs to another function, or to this one before it changed:\n{listed}\n"
                "Name another file as store, or remove this one to compute all cells again; to go on with it, undo "
                "the change"
            )

    def _write_ahead(self) -> None:
        """Switch to write-ahead mode; of several processes that open a new file at once, one does."""
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:  # it does not wait for locks
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say what SQLite's errors mean here."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code, shown = _code(error), repr(str(self.path))
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise OSError(
                    errno.ENOSPC,
                    f"cannot write to store {shown} ({error}): is the disk full? The cells in it are safe; make room "
                    "and sweep again to go on",
                ) from error
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise ValueError(self._damaged(str(error))) from error
            raise OSError(f"cannot use store {shown}: {error}") from error
        except UnicodeDecodeError as error:  # SQLite's message quotes what it found
            raise ValueError(self._damaged(str(error))) from error

    def _damaged(self, what: str) -> str:
        return f"store {str(self.path)!r} is damaged or no store ({what}): restore a copy, or name another file"


def _checksum(key: str, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(key.encode("utf-8", "backslashreplace")))


def _code(error: sqlite3.Error) -> Any:
    """Return SQLite's number of an error, without its details."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
