"""The final_sort clause: a sorter of the engine by name, with its parameters."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import FinalSort
from query_parser.clauses import pair, pieces
from query_parser.nodes import Remark, Text

_CODE = HaCode.FINAL_SORT_PARSE_FAILED


def parse_final_sort(text: str, span: Span, _remarks: list[Remark]) -> FinalSort:
    """Raises RequestError 2601."""
    parts = list(pieces(text, span, ";"))
    if len(parts) not in (1, 2):
        message = "final_sort takes sort_name:… and perhaps sort_param:…"
        raise RequestError(message, code=_CODE, span=span)
    name = _labelled(text, parts[0], "sort_name")
    if len(parts) == 1:
        return FinalSort(name.text)
    value = _labelled(text, parts[1], "sort_param")
    params = (pair(text, piece, "#", _CODE, "sort_param") for piece in pieces(text, value.span, ","))
    return FinalSort(name.text, {key.text: param.text for key, param in params})


def _labelled(text: str, span: Span, label: str) -> Text:
    key, value = pair(text, span, ":", _CODE, "final_sort")
    if key.text != label:
        raise RequestError(f"expected {label}, not {key.text[:80]!r}", code=_CODE, span=key.span)
    return value
