"""The query clause against a table: the tree with its terms, without what has nothing to search for.

Terms without a word leave the tree as the engine's stop words do (havenask v0.3.0, ha3/qrs/StopWordsCleaner.cpp): the
other side stays, and ANDNOT and RANK need a left one. A ``^n`` counts at most the terms that there are
(ha3/search/WeakAndQueryExecutor.cpp), and the words of one text are joined by the default operator
(ha3/qrs/QueryTokenizer.cpp).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import And, AndNot, AtLeast, BoolNode, Or, RankNode, Span
from query_parser.engine_terms import as_engine_reads
from query_parser.nodes import Chain, Core, IndexTerm, Phrase, Query, Remark, Terms, TermSet, Word
from query_parser.plan_terms import Indexes, check_fields, number_term, weight, words_terms
from query_parser.request import HaRequest
from query_parser.vector_term import vector_term
from schemas.settings import TableSettings
from schemas.table import TermIndex, VectorIndex

MAX_TERMS = 1024
"""Each term is a search of its own, and for text and pictures a run of the model."""


@dataclass(slots=True)
class QueryPlanner:
    """Turns a request's query tree into the plan's."""

    request: HaRequest
    indexes: Indexes
    settings: TableSettings
    remarks: list[Remark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    terms: int = 0

    def plan(self) -> BoolNode:
        """Raises RequestError 1012 without a query, 1010 for an empty one, and each term's own."""
        layers = self.request.layers
        if not layers:
            whole = Span(0, len(self.request.text))
            raise RequestError("the request has no query clause", code=HaCode.NO_QUERY_CLAUSE, span=whole)
        planned = [self._layer(layer) for layer in layers]
        if len(planned) > 1:
            self.notes.append("the layers of the query (';') are searched together: they have no quotas here")
        return _joined(Or, planned, Span(layers[0].span.start, layers[-1].span.end))

    def _layer(self, layer: Query) -> BoolNode:
        found = self._node(layer)
        if found is None:
            raise RequestError("the query has nothing to search for", code=HaCode.NULL_QUERY, span=layer.span)
        return found

    def _node(self, query: Query) -> BoolNode | None:
        if query.label is not None:
            self.notes.append(f"the label @{query.label} has no effect here")
        return self._index_term(query) if isinstance(query, IndexTerm) else self._chain(query)

    def _chain(self, chain: Chain) -> BoolNode | None:
        op = chain.op or self.request.config.default_operator
        first, *others = (self._node(item) for item in chain.items)
        rest = [item for item in others if item is not None]
        if op in ("AND", "OR"):
            found = rest if first is None else [first, *rest]
            return _joined(And if op == "AND" else Or, found, chain.span) if found else None
        if first is None:
            message = f"what stands left of {op} has nothing to search for"
            raise RequestError(message, code=HaCode.QUERY_INVALID, span=chain.items[0].span)
        if not rest:
            return first
        if op == "RANK":
            return RankNode(first, tuple(rest), chain.span)
        return AndNot(first, _joined(Or, rest, chain.span), chain.span)

    def _index_term(self, term: IndexTerm) -> BoolNode | None:
        where = term.index_span or term.span
        name = term.index or self.request.config.default_index
        index = self.indexes.find(name, where, named=term.index is not None)
        check_fields(term.fields, index, where)
        return self._terms(as_engine_reads(term.terms), index, term)

    def _terms(self, terms: Terms, index: VectorIndex | TermIndex, whole: IndexTerm) -> BoolNode | None:
        if not isinstance(terms, TermSet):
            return self._core(terms, index, whole)
        planned = (self._terms(item, index, whole) for item in terms.items)
        found = [item for item in planned if item is not None]
        if not found:
            return None
        count = _least(terms, len(found))
        if count in (1, len(found)):
            return _joined(Or if count == 1 else And, found, terms.span)
        if isinstance(index, VectorIndex):
            message = f"at least {count} of several vector terms are not in this version"
            raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=terms.span)
        return AtLeast(tuple(found), count, terms.span)

    def _core(self, core: Core, index: VectorIndex | TermIndex, whole: IndexTerm) -> BoolNode | None:
        self._count(core.span)
        if core.chain is not None:
            self.notes.append(f"the chain #{core.chain} has no effect here")
        if isinstance(index, VectorIndex):
            return self._vector(core, index)
        if index.kind == "NUMBER":
            return number_term(core, index, self.indexes.schema)
        apart = self.request.config.default_operator == "OR"
        found = list(words_terms(core, index, whole.fields, apart=apart))
        for _ in found[1:]:
            self._count(core.span)
        return _joined(Or, found, core.span) if found else None

    def _vector(self, core: Core, index: VectorIndex) -> BoolNode | None:
        if not isinstance(core, Word):
            kind = "phrases" if isinstance(core, Phrase) else "ranges"
            message = f"vector index {index.name!r} takes texts in single quotes, no {kind}"
            raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=core.span)
        boost = weight(core)
        if not core.text.strip():
            return None
        found = vector_term(core, index, self.settings, self.remarks)
        return found if boost == 1 else replace(found, weight=boost)

    def _count(self, span: Span) -> None:
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise RequestError(f"the query has more than {MAX_TERMS} terms", code=HaCode.QUERY_CLAUSE, span=span)


def _least(terms: TermSet, found: int) -> int:
    """How many of the terms have to match."""
    if terms.op == "||":
        return max(1, min(terms.min_match or 1, found))
    return found if terms.op == "&" else 1


def _joined(kind: type[And[BoolNode] | Or[BoolNode]], nodes: Sequence[BoolNode], span: Span) -> BoolNode:
    return nodes[0] if len(nodes) == 1 else kind(tuple(nodes), span)
