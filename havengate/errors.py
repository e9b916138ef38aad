"""One error tree for every room; each adapter translates foreign exceptions into it once.

HavengateError
├── RequestError         the request's text, plan or values are wrong; nothing was done
│   ├── UnknownTable     no such table
│   ├── UnknownGeneration  the table has no such generation
│   ├── NoPicture        the row, its picture or the field that was named is not there, or it cannot be shown
│   └── PictureError     bytes that are not a usable picture
├── DocumentError        one document of a push cannot be written
├── SchemaError          a table schema breaks a rule of the vendor or of this version
├── TableExists          the name is taken
├── ModelError           a model is unknown, not in this version, or not the one the rows were made with
│   ├── ModelAway        the server that embeds cannot be reached, or is not what it was a moment ago
│   └── Overloaded       too much waits for a model already: trying again later helps
├── EngineError          storage could not answer
│   ├── DataFolderBusy   another process holds the data folder
│   ├── Busy             the table is being changed: trying again later helps
│   ├── UnfitTable       others changed what holds this table; other tables are not touched by it
│   ├── TimedOut         the search took longer than it may
│   └── Moved            a row or picture was replaced while it was read: reading again helps
├── SourceError          a source of rows or pictures cannot be read as asked
│   ├── SourceAway       it does not answer, or says to come again: trying again later helps
│   └── SourceChanged    it is not what it was when the job began
├── JobError             a job cannot be made, or not be made to do that now
│   └── UnknownJob       no such job
├── SettingsError        a setting is wrong
└── AccessError
    ├── Unauthorized     who is asking is not known
    └── Forbidden        who is asking may not do this

Every error carries a HA3 code (havengate.codes), an HTTP status for the dialects that use one, a message
that names the offending part, and a span in the request's text where there is one.
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from havengate.codes import HaCode
from havengate.expr import Span

_EXCERPT = 40


class HavengateError(Exception):
    """Base of all errors that a user may see."""

    http_status = 500
    default_code = HaCode.GENERAL
    retry_after_s: int | None = None
    """When trying again helps, and is worth saying in HTTP."""

    def __init__(self, message: str, *, code: HaCode | None = None, span: Span | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code
        self.span = span

    @property
    def name(self) -> str:
        """The engine's name of the code, without its ERROR_ prefix."""
        return self.code.name

    def pointed(self, source: str) -> str:
        """The message with the engine's phrase before it and, where a span is known, a caret under an excerpt."""
        head = f"{self.code.phrase} {self.message}".strip()
        return head if self.span is None else f"{head}\n{point_at(source, self.span)}"


def excerpt(text: str) -> str:
    """A text short enough for a message."""
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 3]}..."


def printable(text: str) -> str:
    """The text with control characters and undecodable bytes escaped: names may carry a terminal's commands."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def point_at(source: str, span: Span) -> str:
    """Two lines: the surroundings of a span (long texts are cut) and carets under it."""
    start, end = max(0, span.start - _EXCERPT), min(len(source), span.end + _EXCERPT, span.start + 2 * _EXCERPT)
    excerpt = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in source[start:end])
    before, marked = excerpt[: span.start - start], excerpt[span.start - start : span.end - start]
    return f"  {excerpt}\n  {' ' * _columns(before)}{'^' * max(1, _columns(marked))}"


def _columns(text: str) -> int:
    """The width in a terminal, where ideographs take two columns and accents none."""
    return sum(2 if east_asian_width(sign) in "WF" else not combining(sign) for sign in text)


class RequestError(HavengateError):
    http_status = 400


class UnknownTable(RequestError):
    http_status = 404
    default_code = HaCode.CLUSTER_NAME_NOT_EXIST


class UnknownGeneration(RequestError):
    http_status = 404
    default_code = HaCode.CLUSTER_NAME_NOT_EXIST


class NoPicture(RequestError):
    http_status = 404


class PictureError(RequestError):
    default_code = HaCode.QUERY_INVALID


class DocumentError(HavengateError):
    http_status = 400
    default_code = HaCode.CONST_EXPRESSION_VALUE


class SchemaError(HavengateError):
    http_status = 400
    default_code = HaCode.INVALID_SCHEMA


class TableExists(HavengateError):
    http_status = 409
    default_code = HaCode.INDEX_PARTITION_EXIST


class ModelError(HavengateError):
    http_status = 400
    default_code = HaCode.QRS_SEARCH_ERROR


class ModelAway(ModelError):
    http_status = 503

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(ModelError):
    """Busy, not broken: 429 is what clients and balancers slow down for without calling the gateway ill."""

    http_status = 429
    default_code = HaCode.QRS_SESSION_POOL_EXCEED

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineError(HavengateError):
    http_status = 503
    default_code = HaCode.SEARCH_UNKNOWN


class DataFolderBusy(EngineError):
    http_status = 409


class Busy(EngineError):
    pass


class UnfitTable(EngineError):
    pass


class TimedOut(EngineError):
    http_status = 504
    default_code = HaCode.QRS_PROCESS_TIMEOUT


class Moved(EngineError):
    pass


class SourceError(HavengateError):
    http_status = 422
    default_code = HaCode.SEARCH_UNKNOWN


class SourceAway(SourceError):
    http_status = 503


class SourceChanged(SourceError):
    http_status = 409


class JobError(HavengateError):
    http_status = 409


class UnknownJob(JobError):
    http_status = 404


def is_passing(error: HavengateError) -> bool:
    """Whether the same call may do better later, without anybody changing anything."""
    return isinstance(error, (SourceAway, ModelAway, Overloaded, EngineError)) and not isinstance(error, UnfitTable)


class SettingsError(HavengateError):
    default_code = HaCode.CONFIG


class AccessError(HavengateError):
    """Not an engine error: answered as {"code": "<status>", "message": …} with that status."""


class Unauthorized(AccessError):
    http_status = 401


class Forbidden(AccessError):
    http_status = 403
