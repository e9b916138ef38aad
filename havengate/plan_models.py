"""pydantic models of the plan's JSON form: strict, nothing unknown is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar
from typing import Literal as OneOf

from pydantic import BaseModel, ConfigDict, FiniteFloat, StrictInt, StrictStr, ValidationError, model_validator
from pydantic import Field as Spec

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import (
    DEFAULT_N,
    And,
    AndNot,
    BoolNode,
    Compare,
    CompareOp,
    Expr,
    Field,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Payload,
    PicturePayload,
    StoredIdPayload,
    TextPayload,
    VectorPayload,
    VectorTerm,
)

_MAX_ITEMS = 10_000
_MAX_DEPTH = 100
ModelT = TypeVar("ModelT", bound=BaseModel)
ScalarJson = StrictStr | StrictInt | FiniteFloat


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _OneKind(_Model):
    """An object with exactly one key."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        values = [getattr(self, name) for name in self.model_fields_set]
        if len(values) != 1 or values[0] is None:
            known = ", ".join(field.alias or name for name, field in type(self).model_fields.items())
            raise ValueError(f"exactly one of {known}")
        return self


class TermModel(_Model):
    index: str
    vectors: list[list[FiniteFloat]] | None = Spec(None)
    text: str | None = None
    picture: str | None = None
    stored_id: str | None = None
    n: int = DEFAULT_N
    score_threshold: FiniteFloat | None = None
    search_params: dict[str, Any] = {}
    categories: list[str] = []

    @model_validator(mode="after")
    def _one_payload(self) -> Self:
        given = [v for v in (self.vectors, self.text, self.picture, self.stored_id) if v is not None]
        if len(given) != 1:
            raise ValueError("exactly one of vectors, text, picture, stored_id")
        return self

    def to_term(self) -> VectorTerm:
        return VectorTerm(
            index=self.index,
            payload=self._payload(),
            n=self.n,
            score_threshold=self.score_threshold,
            search_params=self.search_params,
            categories=tuple(self.categories),
        )

    def _payload(self) -> Payload:
        if self.vectors is not None:
            return VectorPayload(tuple(tuple(vector) for vector in self.vectors))
        if self.text is not None:
            return TextPayload(self.text)
        if self.picture is not None:
            return PicturePayload(self.picture)
        return StoredIdPayload(self.stored_id or "")


class NodeModel(_OneKind):
    vector: TermModel | None = None
    all_of: list[NodeModel] | None = Spec(None, alias="and", min_length=1, max_length=_MAX_ITEMS)
    any_of: list[NodeModel] | None = Spec(None, alias="or", min_length=1, max_length=_MAX_ITEMS)
    andnot: tuple[NodeModel, NodeModel] | None = Spec(None, strict=False)

    def to_node(self) -> BoolNode:
        if self.vector is not None:
            return self.vector.to_term()
        if self.andnot is not None:
            keep, drop = self.andnot
            return AndNot(keep.to_node(), drop.to_node())
        if self.all_of is not None:
            return And(tuple(item.to_node() for item in self.all_of))
        return Or(tuple(item.to_node() for item in self.any_of or ()))


class FieldModel(_Model):
    field: str

    def to_field(self) -> Field:
        name, dot, path = self.field.partition(".")
        return Field(name, path if dot else None)


OperandJson = FieldModel | ScalarJson


class CompareModel(_Model):
    op: CompareOp
    left: OperandJson
    right: OperandJson

    def to_expr(self) -> Compare:
        return Compare(self.op, _operand(self.left), _operand(self.right))


class InModel(FieldModel):
    values: Annotated[list[ScalarJson], Spec(min_length=1, max_length=_MAX_ITEMS)]

    def to_expr(self) -> In:
        return In(self.to_field(), tuple(Literal(value) for value in self.values))


class ExprModel(_OneKind):
    compare: CompareModel | None = None
    member: InModel | None = Spec(None, alias="in")
    negated: ExprModel | None = Spec(None, alias="not")
    all_of: list[ExprModel] | None = Spec(None, alias="and", min_length=1, max_length=_MAX_ITEMS)
    any_of: list[ExprModel] | None = Spec(None, alias="or", min_length=1, max_length=_MAX_ITEMS)

    def to_expr(self) -> Expr:
        if self.compare is not None:
            return self.compare.to_expr()
        if self.member is not None:
            return self.member.to_expr()
        if self.negated is not None:
            return Not(self.negated.to_expr())
        if self.all_of is not None:
            return And(tuple(item.to_expr() for item in self.all_of))
        return Or(tuple(item.to_expr() for item in self.any_of or ()))


class SortModel(_Model):
    by: str = "RANK"
    descending: bool = True


class RankModel(_Model):
    proxima_score: str | None = None


class PlanModel(_Model):
    version: OneOf[1] = 1
    table: str | None = None
    query: NodeModel | None = None
    filter: ExprModel | None = None
    filter_mode: OneOf["pre", "post"] = "pre"
    rank: RankModel = RankModel()
    sort: Annotated[list[SortModel], Spec(min_length=1, max_length=16)] = [SortModel()]
    offset: int = 0
    limit: int = 10
    output_fields: list[str] | None = None


def read_model(model: type[ModelT], body: Mapping[str, Any]) -> ModelT:
    """The body as a model. Raises RequestError that names the first wrong place by its JSON path."""
    _check_depth(body)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"]) or "body"
        raise RequestError(f"{path}: {first['msg']}", code=HaCode.PARSE_SYNTAX) from error


def _operand(value: OperandJson) -> Operand:
    return value.to_field() if isinstance(value, FieldModel) else Literal(value)


def _check_depth(body: object) -> None:
    """Refuses what would recurse too deep, level by level so that the check itself does not recurse."""
    level, depth = [body], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            raise RequestError(f"nested deeper than {_MAX_DEPTH} levels", code=HaCode.PARSE_SYNTAX)
        level = [child for item in level for child in _children(item)]


def _children(item: object) -> list[object]:
    values = item.values() if isinstance(item, Mapping) else item if isinstance(item, list) else ()
    return [value for value in values if isinstance(value, Mapping | list)]
