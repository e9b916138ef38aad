"""The query clause against a table: index names resolved, terms read, what this version lacks refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import And, AndNot, BoolNode, Or, Span, VectorTerm
from query_parser.nodes import Chain, IndexTerm, Query, Remark, Word
from query_parser.request import HaRequest
from query_parser.vector_term import vector_term
from schemas.settings import TableSettings
from schemas.table import TableSchema, VectorIndex

MAX_TERMS = 1024
"""Each term is a search of its own, and for text and pictures a run of the model."""


@dataclass(frozen=True, slots=True)
class Indexes:
    """A table's indexes by the names that clients use."""

    schema: TableSchema
    aliases: frozenset[str]

    def resolve(self, name: str, span: Span) -> VectorIndex:
        """Raises RequestError 1016 for a field that is no vector index, 1013 for an unknown name."""
        known = self.schema.vector_indexes
        if name in known:
            return known[name]
        if name in self.aliases and len(known) == 1:
            return next(iter(known.values()))
        names = ", ".join(known) or "none"
        if name in self.schema.fields or name in self.schema.term_indexes:
            message = f"{name!r} is no vector index: this version searches vector indexes only; the table has: {names}"
            raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=span)
        message = f"no index {name!r}; the table has: {names}"
        raise RequestError(message, code=HaCode.INDEX_NOT_EXIST, span=span)


@dataclass(slots=True)
class QueryPlanner:
    """Turns a request's query tree into the plan's."""

    request: HaRequest
    indexes: Indexes
    settings: TableSettings
    remarks: list[Remark] = field(default_factory=list)
    terms: int = 0

    def plan(self) -> BoolNode:
        """Raises RequestError 1012 without a query, 1051 for what this version lacks, and each term's own."""
        layers = self.request.layers
        if not layers:
            whole = Span(0, len(self.request.text))
            raise RequestError("the request has no query clause", code=HaCode.NO_QUERY_CLAUSE, span=whole)
        if len(layers) > 1:
            raise _lacking("layers of queries (';')", layers[1].span)
        return self._node(layers[0])

    def _node(self, query: Query) -> BoolNode:
        if query.label is not None:
            raise _lacking("labels ('@')", query.span)
        return self._term(query) if isinstance(query, IndexTerm) else self._chain(query)

    def _chain(self, chain: Chain) -> BoolNode:
        op = chain.op or self.request.config.default_operator
        if op == "RANK":
            raise _lacking("the operator RANK", chain.span)
        items = tuple(self._node(item) for item in chain.items)
        if op == "AND":
            return And(items, chain.span)
        if op == "OR":
            return Or(items, chain.span)
        keep, *drops = items
        return AndNot(keep, drops[0] if len(drops) == 1 else Or(tuple(drops), chain.span), chain.span)

    def _term(self, term: IndexTerm) -> VectorTerm:
        self.terms += 1
        if self.terms > MAX_TERMS:
            message = f"the query has more than {MAX_TERMS} terms"
            raise RequestError(message, code=HaCode.QUERY_CLAUSE, span=term.span)
        where = term.index_span or term.span
        index = self.indexes.resolve(term.index or self.request.config.default_index, where)
        if term.fields is not None:
            raise _lacking("fields of an index", term.span)
        word = term.terms
        if not isinstance(word, Word):
            message = f"vector index {index.name!r} takes one text in single quotes"
            raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=word.span)
        if word.boost is not None:
            raise _lacking("boosts ('^')", word.span)
        if word.chain is not None:
            raise _lacking("chains ('#')", word.span)
        return vector_term(word, index, self.settings, self.remarks)


def _lacking(what: str, span: Span) -> RequestError:
    return RequestError(f"this version does not have {what}", code=HaCode.QUERY_CLAUSE, span=span)
