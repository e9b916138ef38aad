"""The analyzer clause: how the engine should cut the query's words."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.types import Span
from query_parser.clause_nodes import Analyzer
from query_parser.clauses import pair, pieces, texts
from query_parser.nodes import Remark

_CODE = HaCode.INVALID_ANALYZER_GRAMMAR


def parse_analyzer(text: str, span: Span, remarks: list[Remark]) -> Analyzer:
    """Raises RequestError 3502."""
    everywhere: str | None = None
    by_index: dict[str, str] = {}
    uncut: dict[str, None] = {}
    for piece in pieces(text, span, ","):
        key, value = pair(text, piece, ":", _CODE, "analyzer")
        match key.text:
            case "global_analyzer":
                everywhere = value.text
            case "no_tokenize_indexes":
                uncut.update(dict.fromkeys(texts(text, value.span, ";")))
            case "specific_index_analyzer":
                for each in pieces(text, value.span, ";"):
                    index, name = pair(text, each, "#", _CODE, "specific_index_analyzer")
                    by_index[index.text] = name.text
            case other:
                remarks.append(Remark(f"analyzer has no key {other[:80]!r}: ignored", _CODE, piece))
    return Analyzer(everywhere, by_index, tuple(uncut))
