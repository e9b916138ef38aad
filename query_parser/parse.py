"""HA3 request text to HaRequest. Errors come in the engine's order; the first one counts.

Rules and codes are those of havenask v0.3.0 (ha3/queryparser/RequestParser.cpp).
"""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from query_parser.clauses import UNSUPPORTED, Clause, pieces, split_clauses
from query_parser.cluster import parse_cluster, parse_config_clusters
from query_parser.config import parse_config
from query_parser.expr import is_condition, parse_expr
from query_parser.kvpairs import parse_config_kvpairs, parse_kvpairs
from query_parser.nodes import Expr, Remark, Text
from query_parser.query import parse_query
from query_parser.request import Config, HaRequest
from query_parser.sort import parse_sort

MAX_REMARKS = 50
"""A request of nothing but unknown keys would be answered with as many warnings."""
MAX_ATTRIBUTES = 1024

_AFTER_SORT = ("pkfilter", "distinct", "aggregate", "rank", "healthcheck")
_AFTER_ATTRIBUTE = ("virtual_attribute", "fetch_summary")


def parse_request(text: str) -> HaRequest:
    """Every clause of a request, with spans into ``text``.

    Raises RequestError with the engine's code and a span: 1050, 1002 and 1056 for the request as a whole, then the
    codes of config, cluster, query, filter, sort and kvpairs; clauses that this version lacks with their own code.
    What the engine drops without a word is in ``remarks``.
    """
    clauses = split_clauses(text)
    remarks: list[Remark] = []
    config = _config(text, clauses, remarks)
    clusters = _clusters(text, clauses, config, remarks)
    query = clauses.get("query")
    layers = () if query is None else parse_query(text, query.value, remarks)
    condition = _filter(text, clauses, remarks)
    sort = clauses.get("sort")
    items = () if sort is None else parse_sort(text, sort.value, remarks)
    _refuse(clauses, _AFTER_SORT)
    attributes = _attributes(text, clauses)
    _refuse(clauses, _AFTER_ATTRIBUTE)
    pairs = _kvpairs(text, clauses, config)
    _refuse(clauses, tuple(UNSUPPORTED))
    return HaRequest(
        text,
        config,
        clusters,
        layers,
        condition,
        sort=items,
        attributes=attributes,
        kvpairs=pairs,
        remarks=tuple(remarks[:MAX_REMARKS]),
    )


def _config(text: str, clauses: dict[str, Clause], remarks: list[Remark]) -> Config:
    clause = clauses.get("config")
    return Config() if clause is None else parse_config(text, clause.value, remarks)


def _clusters(text: str, clauses: dict[str, Clause], config: Config, remarks: list[Remark]) -> tuple[Text, ...]:
    if "cluster" in clauses:
        return parse_cluster(text, clauses["cluster"].value, remarks)
    return parse_config_clusters(text, config.spans["cluster"]) if "cluster" in config.spans else ()


def _filter(text: str, clauses: dict[str, Clause], remarks: list[Remark]) -> Expr | None:
    """An empty filter is none: clients send it when they have nothing to filter by."""
    clause = clauses.get("filter")
    if clause is None or clause.value.start == clause.value.end:
        return None
    expr = parse_expr(text, clause.value, HaCode.FILTER_CLAUSE, remarks)
    if not is_condition(expr):
        message = "the filter is a value, it must be a condition such as field=1"
        raise RequestError(message, code=HaCode.FILTER_EXPRESSION_NOT_BOOL, span=expr.span)
    return expr


def _attributes(text: str, clauses: dict[str, Clause]) -> tuple[Text, ...]:
    clause = clauses.get("attribute")
    names: dict[str, Text] = {}
    for piece in () if clause is None else pieces(text, clause.value, ","):
        name = text[piece.start : piece.end]
        names.setdefault(name, Text(name, piece))
        if len(names) > MAX_ATTRIBUTES:
            message = f"more than {MAX_ATTRIBUTES} attributes"
            raise RequestError(message, code=HaCode.KEY_VALUE_PAIR, span=piece)
    return tuple(names.values())


def _kvpairs(text: str, clauses: dict[str, Clause], config: Config) -> dict[str, Text]:
    pairs = parse_config_kvpairs(text, config.spans["kvpairs"]) if "kvpairs" in config.spans else {}
    clause = clauses.get("kvpairs")
    return pairs if clause is None else {**pairs, **parse_kvpairs(text, clause.value)}


def _refuse(clauses: dict[str, Clause], names: tuple[str, ...]) -> None:
    for name in names:
        if name in clauses:
            message = f"this version does not have the clause {name}"
            raise RequestError(message, code=UNSUPPORTED[name], span=clauses[name].span)
