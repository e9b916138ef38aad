"""pydantic models of the query tree in the plan's JSON form: strict, nothing unknown is taken."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field as Spec
from pydantic import FiniteFloat, model_validator

from havengate.expr_models import MAX_ITEMS, Model, NumberJson, OneKind
from havengate.types import (
    DEFAULT_N,
    And,
    AndNot,
    AtLeast,
    BoolNode,
    NumberTerm,
    Or,
    Payload,
    PicturePayload,
    RankNode,
    StoredIdPayload,
    TextPayload,
    TextTerm,
    VectorPayload,
    VectorTerm,
)

_KEEP_AND_BOOST = 2


class VectorTermModel(Model):
    index: str
    vectors: list[list[FiniteFloat]] | None = Spec(None)
    text: str | None = None
    picture: str | None = None
    stored_id: str | None = None
    crop: bool = False
    n: int = DEFAULT_N
    score_threshold: FiniteFloat | None = None
    search_params: dict[str, Any] = Spec({})
    categories: list[str] = Spec([])
    weight: FiniteFloat = 1.0

    @model_validator(mode="after")
    def _one_payload(self) -> Self:
        given = [v for v in (self.vectors, self.text, self.picture, self.stored_id) if v is not None]
        if len(given) != 1:
            raise ValueError("exactly one of vectors, text, picture, stored_id")
        if self.crop and self.picture is None:
            raise ValueError("crop without a picture")
        return self

    def to_term(self) -> VectorTerm:
        return VectorTerm(
            index=self.index,
            payload=self._payload(),
            n=self.n,
            score_threshold=self.score_threshold,
            search_params=self.search_params,
            categories=tuple(self.categories),
            weight=self.weight,
        )

    def _payload(self) -> Payload:
        if self.vectors is not None:
            return VectorPayload(tuple(tuple(vector) for vector in self.vectors))
        if self.text is not None:
            return TextPayload(self.text)
        if self.picture is not None:
            return PicturePayload(self.picture, self.crop)
        return StoredIdPayload(self.stored_id or "")


class TextTermModel(Model):
    index: str
    text: str
    phrase: bool = False
    weight: FiniteFloat = 1.0
    fields: list[str] = Spec([])
    all_fields: bool = False

    def to_term(self) -> TextTerm:
        return TextTerm(self.index, self.text, self.phrase, self.weight, tuple(self.fields), self.all_fields)


class NumberTermModel(Model):
    index: str
    low: NumberJson | None = None
    high: NumberJson | None = None
    include_low: bool = True
    include_high: bool = True
    weight: FiniteFloat = 1.0

    def to_term(self) -> NumberTerm:
        return NumberTerm(self.index, self.low, self.high, self.include_low, self.include_high, self.weight)


class AtLeastNodesModel(Model):
    count: int
    items: list[NodeModel] = Spec(min_length=1, max_length=MAX_ITEMS)

    def to_node(self) -> BoolNode:
        return AtLeast(tuple(item.to_node() for item in self.items), self.count)


class NodeModel(OneKind):
    vector: VectorTermModel | None = None
    text: TextTermModel | None = None
    number: NumberTermModel | None = None
    all_of: list[NodeModel] | None = Spec(None, alias="and", min_length=1, max_length=MAX_ITEMS)
    any_of: list[NodeModel] | None = Spec(None, alias="or", min_length=1, max_length=MAX_ITEMS)
    atleast: AtLeastNodesModel | None = None
    andnot: tuple[NodeModel, NodeModel] | None = Spec(None, strict=False)
    rank: list[NodeModel] | None = Spec(None, min_length=_KEEP_AND_BOOST, max_length=MAX_ITEMS)

    def to_node(self) -> BoolNode:
        for term in (self.vector, self.text, self.number):
            if term is not None:
                return term.to_term()
        if self.atleast is not None:
            return self.atleast.to_node()
        if self.andnot is not None:
            keep, drop = self.andnot
            return AndNot(keep.to_node(), drop.to_node())
        if self.all_of is not None:
            return And(tuple(item.to_node() for item in self.all_of))
        if self.rank is not None:
            best, *boosts = self.rank
            return RankNode(best.to_node(), tuple(boost.to_node() for boost in boosts))
        return Or(tuple(item.to_node() for item in self.any_of or ()))
