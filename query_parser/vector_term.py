"""What stands inside the quotes of a vector term.

``content[&modal=text|image][&n=K][&sf=S][&search_params={…}]``: options are peeled from the right in this order
only, as the engine does. Without ``&modal=`` the content is ``[cate[,cate…]#]f,f…`` with ``;`` between vectors,
and url-decoded first (havenask URLUtil::decode), blanks for ``+`` included.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import DEFAULT_N, MAX_N, Payload, PicturePayload, Span, TextPayload, VectorPayload, VectorTerm
from query_parser.nodes import Remark, Word
from query_parser.term_text import term_text
from schemas.settings import TableSettings
from schemas.table import FLOAT32_MAX, VectorIndex

_OPTIONS = ("modal", "n", "sf", "search_params")
_OPTION = re.compile(r"&([A-Za-z_][A-Za-z0-9_]*+)=")
MAX_VECTORS = 1024


@dataclass(frozen=True, slots=True)
class _Content:
    """Text inside the quotes and its place: exact where nothing was unescaped or decoded, else the whole word."""

    text: str
    span: Span
    exact: bool

    @classmethod
    def of(cls, word: Word) -> _Content:
        first = word.text.find("&")
        worded = first >= 0 and "&modal=" in word.text[first:]
        if not worded and ("%" in word.text or "+" in word.text):
            return cls(unquote_plus(word.text), word.span, exact=False)
        return cls(word.text, word.content or word.span, word.content is not None)

    def part(self, start: int, end: int) -> _Content:
        where = Span(self.span.start + start, self.span.start + end) if self.exact else self.span
        return _Content(self.text[start:end], where, self.exact)

    def wrong(self, message: str, code: HaCode = HaCode.QUERY_CLAUSE) -> RequestError:
        return RequestError(message, code=code, span=self.span)


def vector_term(word: Word, index: VectorIndex, settings: TableSettings, remarks: list[Remark]) -> VectorTerm:
    """A word as a search of ``index``.

    Raises RequestError 1051 for syntax, 1033 for values, 1005 for n over MAX_N, 1010 for an empty content,
    1017 for categories without a category field.
    """
    content, options = _peeled(_Content.of(word))
    _refuse_options(content)
    n = _count(options["n"]) if "n" in options else DEFAULT_N
    threshold = _number(options["sf"]) if "sf" in options else None
    params = _search_params(options["search_params"], remarks) if "search_params" in options else {}
    if not content.text.strip():
        raise content.wrong("the vector term is empty", HaCode.NULL_QUERY)
    categories: tuple[str, ...] = ()
    payload: Payload
    match options["modal"].text if "modal" in options else None:
        case None:
            payload, categories = _vectors(content, index)
        case "text":
            payload = TextPayload(term_text(content.text, settings.text, content.span))
        case "image":
            payload = PicturePayload(content.text)
        case _:
            raise options["modal"].wrong(f"modal is text or image, not {options['modal'].text[:40]!r}")
    return VectorTerm(index.name, payload, n, threshold, params, categories, word.span)


def _peeled(content: _Content) -> tuple[_Content, dict[str, _Content]]:
    """Base64 holds no ``&``, so a picture of megabytes is searched once."""
    found: dict[str, _Content] = {}
    first, end = content.text.find("&"), len(content.text)
    for name in reversed(_OPTIONS if first >= 0 else ()):
        key = f"&{name}="
        at = content.text.rfind(key, first, end)
        if at >= 0:
            found[name] = content.part(at + len(key), end)
            end = at
            if name != "search_params":
                _refuse_options(found[name])
    return content.part(0, end), found


def _refuse_options(content: _Content) -> None:
    """What looks like an option and was not peeled stands in the wrong place, twice, or is none."""
    if "&" not in content.text:
        return
    for found in _OPTION.finditer(content.text):
        where = content.part(*found.span())
        order = " ".join(f"&{name}=" for name in _OPTIONS)
        if found[1] in _OPTIONS:
            raise where.wrong(f"option {found[0]} is twice or out of place; the order is {order}")
        raise where.wrong(f"unknown option {found[0]}; known: {order}")


def _count(option: _Content) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", option.text):
        raise option.wrong(f"n takes a whole number, not {option.text[:40]!r}")
    n = int(option.text)
    if n > MAX_N:
        raise option.wrong(f"n is {n}, at most {MAX_N} are searched", HaCode.OVER_RETURN_HITS_LIMIT)
    if n < 1:
        raise option.wrong(f"n is {n}, it must be at least 1", HaCode.QUERY_INVALID)
    return n


def _number(option: _Content) -> float:
    number = _float(option.text)
    if number is None:
        raise option.wrong(f"sf takes a number, not {option.text[:40]!r}")
    if not math.isfinite(number):
        raise option.wrong("sf must be finite", HaCode.QUERY_INVALID)
    return number


def _search_params(option: _Content, remarks: list[Remark]) -> dict[str, Any]:
    try:
        params = json.loads(option.text)
    except (ValueError, RecursionError):
        _refuse_options(option)
        raise option.wrong(f"search_params takes a JSON object, not {option.text[:40]!r}") from None
    if not isinstance(params, dict):
        raise option.wrong(f"search_params takes a JSON object, not {option.text[:40]!r}")
    if params:
        message = "search_params has no effect"
        remarks.append(Remark(message, HaCode.QUERY_CLAUSE, option.span, engine_takes=True))
    return params


def _vectors(content: _Content, index: VectorIndex) -> tuple[VectorPayload, tuple[str, ...]]:
    vectors, categories = [], set()
    if content.text.count(";") >= MAX_VECTORS:
        raise content.wrong(f"more than {MAX_VECTORS} vectors in one term", HaCode.QUERY_INVALID)
    start = 0
    for piece in content.text.split(";"):
        part = content.part(start, start + len(piece))
        start += len(piece) + 1
        numbers, names = _split_categories(part, index)
        vectors.append(_vector(numbers, index))
        categories.add(names)
    if len(categories) > 1:
        raise content.wrong("vectors of one term with different categories are not in this version")
    return VectorPayload(tuple(vectors)), categories.pop()


def _split_categories(part: _Content, index: VectorIndex) -> tuple[_Content, tuple[str, ...]]:
    at = part.text.find("#")
    if at < 0:
        return part, ()
    where = part.part(0, at)
    names = tuple(name.strip() for name in where.text.split(","))
    if index.category_field is None:
        raise where.wrong(f"index {index.name!r} has no category field", HaCode.INDEX_FIELD_INVALID)
    if not all(names):
        raise where.wrong("a category before '#' is empty")
    return part.part(at + 1, len(part.text)), names


def _vector(part: _Content, index: VectorIndex) -> tuple[float, ...]:
    pieces = part.text.split(index.delimiter)
    try:
        # All pieces at once: _float, piece by piece, takes longer than the rest of the parser.
        vector = tuple(map(float, pieces)) if part.text.isascii() and "_" not in part.text else ()
    except ValueError:
        vector = ()
    if not vector:
        raise _no_number(part, pieces, index)
    if not all(map(FLOAT32_MAX.__ge__, map(abs, vector))):
        raise part.wrong("a query vector holds finite numbers only", HaCode.QUERY_INVALID)
    if len(vector) != index.dimension:
        message = f"the query vector has dimension {len(vector)}, index {index.name!r} has {index.dimension}"
        raise part.wrong(message, HaCode.QUERY_INVALID)
    return vector


def _no_number(part: _Content, pieces: list[str], index: VectorIndex) -> RequestError:
    """Points at the first piece that is none."""
    at = next(place for place, piece in enumerate(pieces) if _float(piece) is None)
    start = sum(len(piece) + len(index.delimiter) for piece in pieces[:at])
    where = part.part(start, start + len(pieces[at]))
    words = "; to search by words or a picture add &modal=text or &modal=image" if len(pieces) == 1 else ""
    return where.wrong(f"{pieces[at][:40]!r} is not a number of a vector{words}", HaCode.QUERY_INVALID)


def _float(text: str) -> float | None:
    """Python's float would also take underscores and other scripts' digits."""
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None
