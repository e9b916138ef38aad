"""The log on stderr: lines for people or JSON objects, each with the id of the request that it is about.

Set up by entry points. Other packages' loggers are heard from warnings on: below that they write what they send and
get, pictures and signatures among it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
import traceback
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from havengate.errors import SettingsError, printable
from havengate.request_id import REQUEST_ID

if TYPE_CHECKING:
    from io import TextIOWrapper

    from havengate.setting_groups import LogSettings

_LOG = logging.getLogger(__name__)
AUDIT = "havengate.audit"
_OURS = ("embedding", "engines", "gateway", "havengate", "ingest", "query_parser", "schemas")
_SERVER = "gunicorn.error"
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request_id"}
# Longer than any id, digest or name; shorter than any picture, password hash or signed token.
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_%-]{100,}")
# That of /images is shorter, and stands in URLs, which the server's own complaints quote.
_IN_URL = re.compile(r"([?&]token=)[^&\s\"']+")
_LONGEST = 8000


def configure(settings: LogSettings) -> None:
    """What this process logs from now on. Raises SettingsError for a file that cannot be written."""
    form = _JsonLines() if settings.format == "json" else _TextLines()
    _take_over(logging.getLogger(), _prepared(_Stderr(), form), logging.WARNING)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    # gunicorn's debug lines quote what clients send.
    logging.getLogger(_SERVER).setLevel(max(level, logging.INFO))
    audit = logging.getLogger(AUDIT)
    # Not a matter of level: whoever set up a gateway with users wants to know.
    audit.setLevel(logging.INFO)
    audit.propagate = settings.audit is None
    _take_over(audit, _prepared(_file(settings.audit), form) if settings.audit else None, logging.INFO)
    logging.captureWarnings(True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread


def _take_over(logger: logging.Logger, handler: logging.Handler | None, level: int) -> None:
    """Its handlers from an earlier set-up go; those of others (a test that listens) stay."""
    for other in [other for other in logger.handlers if isinstance(other.formatter, _TextLines | _JsonLines)]:
        logger.removeHandler(other)
        other.close()
    if handler is not None:
        logger.addHandler(handler)
    logger.setLevel(level)


def _prepared(handler: logging.Handler, form: logging.Formatter) -> logging.Handler:
    handler.setFormatter(form)
    handler.addFilter(_with_request_id)
    return handler


def _file(path: Path) -> logging.Handler:
    try:
        return _AuditFile(path, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"HAVENGATE_LOG__AUDIT: {path} cannot be written: {error.strerror}") from error


def _with_request_id(record: logging.LogRecord) -> bool:
    record.request_id = getattr(record, "request_id", "") or REQUEST_ID.get()
    return True


def _log_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else "?"
        told = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger(__name__).error("thread %s ended by an error", name, exc_info=told)


class _Stderr(logging.StreamHandler[TextIO]):
    """Whatever stderr is by then."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _AuditFile(WatchedFileHandler):
    """Opens its file again when it was moved away: logs are rotated.

    What it cannot write goes to the log: neither a full disk nor a folder that is gone costs a request its answer, or
    the audit a line.
    """

    _failing = False

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).touch(mode=0o600)
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        failed_before, self._failing = self._failing, False
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)
        if self._failing and not failed_before:
            _LOG.error("HAVENGATE_LOG__AUDIT: %s cannot be written; its lines stand here", self.baseFilename)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """For whatever cannot be written."""
        self._failing = True
        stream, self.stream = self.stream, None
        with suppress(OSError):
            if stream is not None:
                stream.close()
        for handler in logging.getLogger().handlers:
            handler.handle(record)


class _JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII, so that no reader takes part of a text for an end of line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": getattr(record, "request_id", ""),
            "message": _harmless(record.getMessage()),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = _harmless(_traceback(record))
        return json.dumps(line, default=str)


class _TextLines(logging.Formatter):
    """``time LEVEL logger [request id] message key=value``; a traceback's lines begin with ``    | ``."""

    def format(self, record: logging.LogRecord) -> str:
        request_id = getattr(record, "request_id", "")
        words = [_time(record), record.levelname, record.name, f"[{request_id}]" if request_id else "[-]"]
        words.append(_harmless(record.getMessage()))
        words += [f"{key}={_shown(value)}" for key, value in _extra(record).items()]
        lines = [printable(" ".join(words))]
        if record.exc_info:
            lines += [f"    | {printable(line)}" for line in _harmless(_traceback(record)).split("\n")]
        return "\n".join(lines)


def _time(record: logging.LogRecord) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _OF_EVERY_RECORD}
    return {key: _harmless_value(value) for key, value in extra.items()}


def _shown(value: object) -> str:
    """A word as it is; what has blanks or is no text, as JSON."""
    plain = isinstance(value, str) and value.isprintable() and not set(value) & set(' "=')
    return str(value) if plain else json.dumps(value, ensure_ascii=False, default=str)


def _harmless_value(value: Any) -> Any:
    if isinstance(value, str):
        return _harmless(value)
    if isinstance(value, dict):
        return {key: _harmless_value(item) for key, item in value.items()}
    return [_harmless_value(item) for item in value] if isinstance(value, list | tuple) else value


def _harmless(text: str) -> str:
    """The last line of defence: whoever writes a line is to leave out pictures and secrets himself."""
    text = _IN_URL.sub("\\1\N{HORIZONTAL ELLIPSIS}", text)
    text = _OPAQUE.sub(lambda found: f"{found[0][:8]}\N{HORIZONTAL ELLIPSIS} ({len(found[0])} characters)", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS} ({len(text)} characters)"


def _traceback(record: logging.LogRecord) -> str:
    kind, error, where = record.exc_info or (None, None, None)
    return "".join(traceback.format_exception(kind, error, where)).rstrip("\n")
