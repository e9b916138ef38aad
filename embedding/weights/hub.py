"""A model hub over plain HTTP: its documented `api/models` and `resolve` addresses.

The hub's own client is not used: it moves large files by a protocol that mirrors do not speak, does not check their
hashes, and reads an environment of its own.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from embedding.weights.source import Announced, Listing
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from embedding.entry import Part
    from embedding.weights.source import Progress

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_RETRIES = 4
_PAUSE_S = 1.0
_MOST_JSON = 64 << 20
_PARTIAL, _OUT_OF_RANGE, _TOO_MANY, _SERVER = 206, 416, 429, 500
_TRANSPORT = (URLError, http.client.HTTPException, OSError)


class Hub:
    """``endpoint`` is the hub's URL or a mirror's. Broken connections go on where they broke, a few times."""

    def __init__(self, endpoint: str, token: str = "", pause_s: float = _PAUSE_S) -> None:
        self._endpoint = endpoint
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "havengate"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pause_s = pause_s
        self._opener = build_opener(_Redirects)

    def look(self, part: Part, commit: str = "") -> Listing:
        revision = quote(commit or part.revision, safe="")
        url = f"{self._endpoint}/api/models/{part.repository}/revision/{revision}?blobs=true"
        for attempt in range(_RETRIES):
            try:
                with self._open(url) as answer:
                    return _listing(json.loads(answer.read(_MOST_JSON)))
            except (*_TRANSPORT, ValueError, KeyError, TypeError, AttributeError) as error:
                if attempt == _RETRIES - 1 or not self._transient(error):
                    self._refuse(error, part)
                time.sleep(self._pause_s * 2**attempt)
        raise AssertionError  # the last attempt returns or raises

    def fetch(self, part: Part, commit: str, name: str, target: Path, progress: Progress) -> None:
        url = f"{self._endpoint}/{part.repository}/resolve/{quote(commit, safe='')}/{quote(name)}"
        failures = 0
        while True:
            before = _length(target)
            try:
                return self._continue(url, target, progress)
            except _TRANSPORT as error:
                # Only attempts that bring nothing count: a bad line may break many times in a large file.
                failures = 0 if _length(target) > before else failures + 1
                if failures == _RETRIES or not self._transient(error):
                    self._refuse(error, part, name)
                time.sleep(self._pause_s * 2**failures)

    def _continue(self, url: str, target: Path, progress: Progress) -> None:
        """Brings what ``target`` still lacks. Raises ConnectionError when the answer ends early."""
        begun = _length(target)
        try:
            answer = self._open(url, {"Range": f"bytes={begun}-"} if begun else {})
        except HTTPError as error:
            if error.code != _OUT_OF_RANGE:
                raise
            # What is here is as long as the file or longer; the hash will judge it.
            error.close()
            if _length_of_all(error.headers) == begun:
                return
            _start_over(target, progress)
            raise ConnectionError("the hub's file is shorter than what is here") from error
        with answer, target.open("ab") as file:
            if begun and not _continues(answer, begun):
                file.truncate(0)
                progress(-begun)
                begun = 0
            length = answer.headers.get("Content-Length")
            while chunk := answer.read1(_CHUNK):
                file.write(chunk)
                progress(len(chunk))
        if length is not None and _length(target) != begun + int(length):
            raise ConnectionError("the connection broke")

    def _open(self, url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        answer: http.client.HTTPResponse = self._opener.open(
            Request(url, headers=self._headers | (headers or {})),  # noqa: S310  (settings let http(s) through only)
            timeout=_TIMEOUT_S,
        )
        return answer

    def _refuse(self, error: Exception, part: Part, name: str = "") -> NoReturn:
        what = f"{part.repository} {name}".strip()
        if isinstance(error, HTTPError):
            error.close()
            raise ModelError(f"{what}: {self._say(error, part)}") from error
        if isinstance(error, _TRANSPORT):
            reason = getattr(error, "reason", error)
            raise ModelError(
                f"{what}: {self._endpoint} cannot be reached: {reason}. What has arrived is kept; "
                "HAVENGATE_EMBEDDING__HUB names a mirror, HAVENGATE_EMBEDDING__OFFLINE a folder instead"
            ) from error
        raise ModelError(f"{what}: {self._endpoint} does not answer as a model hub: {error!r}") from error

    def _transient(self, error: Exception) -> bool:
        if isinstance(error, HTTPError):
            # Another host's address is given out anew with every attempt; an old one expires.
            return error.code == _TOO_MANY or error.code >= _SERVER or self._foreign(error)
        return isinstance(error, _TRANSPORT)

    def _foreign(self, error: HTTPError) -> bool:
        return urlsplit(error.url).netloc != urlsplit(self._endpoint).netloc

    def _say(self, error: HTTPError, part: Part) -> str:
        kept = "what has arrived is kept, run the command again later"
        if self._foreign(error):
            return f"{urlsplit(error.url).netloc} answers {error.code} {error.reason}; {kept}"
        reason = error.headers.get("X-Error-Code", "")
        revision = f"{part.revision!r} is no revision of it (HAVENGATE_EMBEDDING__REVISIONS names another)"
        token = "HAVENGATE_EMBEDDING__HUB_TOKEN"  # noqa: S105  (the name of a setting)
        if reason == "GatedRepo" or (error.code == http.HTTPStatus.FORBIDDEN and not reason):
            page = f"{self._endpoint}/{part.repository}"
            return f"the hub asks to accept its licence first: do so at {page}, then set {token}"
        if reason == "RevisionNotFound":
            return revision
        if error.code in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.NOT_FOUND):
            return f"{self._endpoint} has no such repository or file, or it is private ({token})"
        return f"{self._endpoint} answers {error.code} {error.reason}; {kept}"


class _Redirects(HTTPRedirectHandler):
    """Large files come from other hosts, which the token is none of the business of."""

    def redirect_request(self, *request: Any) -> Request | None:
        (asked, *_, newurl), following = request, super().redirect_request(*request)
        if following is not None and urlsplit(newurl).netloc != urlsplit(asked.full_url).netloc:
            following.remove_header("Authorization")
        return following


def _listing(content: dict[str, Any]) -> Listing:
    files = {}
    for file in content["siblings"]:
        large = file.get("lfs") or {}
        files[file["rfilename"]] = Announced(
            size=large.get("size", file.get("size")),
            sha256=large.get("sha256"),
            git_hash=None if large else file.get("blobId"),
        )
    return Listing(content["sha"], files)


def _continues(answer: http.client.HTTPResponse, begun: int) -> bool:
    wanted = f"bytes {begun}-"
    return answer.status == _PARTIAL and answer.headers.get("Content-Range", "").startswith(wanted)


def _length_of_all(headers: Any) -> int:
    total = headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else -1


def _start_over(target: Path, progress: Progress) -> None:
    progress(-_length(target))
    target.unlink()


def _length(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
