"""The engine's edge: foreign exceptions become havengate's, each with what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from havengate.codes import HaCode
from havengate.errors import EngineError, RequestError

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_IOERR: "the disk gave an error; check the disk and the rights of the data folder",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "the file is damaged; restore it from a backup",
    sqlite3.SQLITE_BUSY: "another program has the file open for writing; close it and try again",
    sqlite3.SQLITE_LOCKED: "another program has the file open for writing; close it and try again",
    sqlite3.SQLITE_READONLY: "the data folder is not writable; give this user the right to write there",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; check that it exists and may be read and written",
}
_PRIMARY_CODE = 0xFF


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises EngineError for failures of SQLite and the file system, RequestError for text that is not Unicode.

    ``what`` says what was being done, to which table or folder.
    """
    try:
        yield
    except sqlite3.Error as error:
        # SQLite's extended codes carry the primary code in their lowest byte.
        code = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE
        raise EngineError(f"{what}: {_ADVICE.get(code, 'SQLite refused')} ({error})") from error
    except UnicodeEncodeError as error:
        raise RequestError(
            f"{what}: text holds half of a surrogate pair", code=HaCode.CONST_EXPRESSION_VALUE
        ) from error
    except OSError as error:
        raise EngineError(f"{what}: {error.strerror or error} ({error.filename})") from error
