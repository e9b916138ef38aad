"""HA requests made of the conformance cases: joined, their names made the table's, their tokens moved about."""

import json
import re
from pathlib import Path

from hypothesis import strategies as st

CASES = Path(__file__).parents[1] / "conformance" / "ha3"
FIELDS = ("id", "cate_id", "title", "price", "labels", "tags", "tags.k", "vector", "vector_source_image", "RANK")
VALUES = (
    "1", "-1", "0", "9223372036854775808", "-9223372036854775809", "1e309", "1e-400", "nan", "inf", "0x7f", "1.5",
    "'red&modal=text'", "'red&modal=text&n=3&sf=0.5'", "'&modal=image'", "'1,2,3&n=99999'", '"a b"', "''", '"', "'",
)  # fmt: skip
SIGNS = (
    "&&", "=", "(", ")", "[", "]", "{", "}", ",", ";", ":", "|", "||", "&", "^", "#", "~", "*", "\\", "+", "-",
    "<", ">=", " AND ", " OR ", " ANDNOT ", " RANK ", " ", "\t", "\n", "\r",
    "\x00", "\ufeff", "\u202e", "\ufffe", "🂡", "]]>", "%",
)  # fmt: skip
_TOKENS = re.compile(r"&&|\w+|\s+|.", re.DOTALL)
_NAMES = re.compile(r"\b[a-z]\w*\b")


def _cases(name):
    return json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))["cases"]


def _clauses():
    """(clause, text) of every case."""
    for case in (*_cases("clauses"), *_cases("requests")):
        if case["clause"] != "request":
            yield case["clause"], case["given"]
    for name, clause in (("filter_expr", "filter"), ("queries", "query"), ("query_clause", "query")):
        for case in _cases(name):
            yield clause, case["given"]


CLAUSES = sorted(set(_clauses()))
WHOLE = sorted({case["given"] for case in _cases("requests") if case["clause"] == "request"})
_FINDS = "query=vector:'red&modal=text&n=5'"


@st.composite
def _with_known_names(draw, text):
    """What names tables and fields that there are gets further than the first check."""
    share = draw(st.sampled_from([0, 1, 3]))
    if not share:
        return text
    names = draw(st.lists(st.sampled_from(FIELDS), min_size=share, max_size=share))
    return _NAMES.sub(lambda found: names[len(found.group()) % share], text)


@st.composite
def requests(draw):
    """A request of one to four clauses of the cases, or a whole one."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(WHOLE))
    parts = []
    for clause, given in draw(st.lists(st.sampled_from(CLAUSES), min_size=1, max_size=3)):
        text = draw(_with_known_names(given)) if clause != "config" else given
        parts.append(f"{clause}={text}")
    if not any(part.startswith("query=") for part in parts):
        parts.append(_FINDS)
    return "&&".join([*parts, "cluster=general", draw(st.sampled_from(["config=format:json", "config=hit:3"]))])


@st.composite
def mutated(draw):
    """Tokens cut out, put in, doubled, moved; brackets nested; two requests spliced."""
    tokens = _TOKENS.findall(draw(requests()))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(tokens)))
        match draw(st.sampled_from(["cut", "put", "value", "field", "double", "move", "nest", "splice"])):
            case "cut":
                del tokens[at : at + draw(st.integers(1, 3))]
            case "put":
                tokens.insert(at, draw(st.sampled_from(SIGNS)))
            case "value":
                tokens[at : at + 1] = [draw(st.sampled_from(VALUES))]
            case "field":
                tokens[at : at + 1] = [draw(st.sampled_from(FIELDS))]
            case "double":
                tokens[at:at] = tokens[at : at + 5] * draw(st.integers(1, 40))
            case "move":
                taken = tokens[at : at + 3]
                del tokens[at : at + 3]
                to = draw(st.integers(0, len(tokens)))
                tokens[to:to] = taken
            case "nest":
                deep = draw(st.sampled_from([1, 50, 150]))
                tokens[at : at + 3] = ["(" * deep, *tokens[at : at + 3], ")" * deep]
            case "splice":
                tokens[at:] = _TOKENS.findall(draw(requests()))[at:]
        tokens = tokens[:4000]
    return "".join(tokens)
