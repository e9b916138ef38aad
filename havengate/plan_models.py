"""pydantic models of the plan's JSON form: strict, nothing unknown is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from typing import Literal as OneOf

from pydantic import BaseModel, Discriminator, FiniteFloat, Tag, ValidationError
from pydantic import Field as Spec

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.expr_models import ByJson, ExprModel, Model, NumberJson, ValueJson, by_of, value_of
from havengate.query_models import NodeModel
from havengate.types import (
    Aggregate,
    AggregateFunction,
    AggregateName,
    Distinct,
    Rank,
    SearchPlan,
    SortKey,
    Variable,
)

_MAX_DEPTH = 100
_MAX_LISTED = 1000
"""More keys, functions, limits or aggregates than any table takes."""
RANK = "RANK"
ModelT = TypeVar("ModelT", bound=BaseModel)


class SortModel(Model):
    by: ByJson = RANK
    descending: bool = True

    def to_key(self) -> SortKey:
        return SortKey(None if self.by == RANK else by_of(self.by), self.descending)


class FunctionModel(Model):
    name: AggregateName
    value: ByJson | None = None

    def to_function(self) -> AggregateFunction:
        return AggregateFunction(self.name, None if self.value is None else by_of(self.value))


class AggregateModel(Model):
    keys: list[ByJson] = Spec(min_length=1, max_length=_MAX_LISTED)
    functions: list[FunctionModel] = Spec(min_length=1, max_length=_MAX_LISTED)
    ranges: list[NumberJson] = Spec([], max_length=_MAX_LISTED)
    filter: ExprModel | None = None
    max_group: int = 1000

    def to_aggregate(self) -> Aggregate:
        return Aggregate(
            keys=tuple(by_of(key) for key in self.keys),
            functions=tuple(function.to_function() for function in self.functions),
            ranges=tuple(self.ranges),
            filter=None if self.filter is None else self.filter.to_expr(),
            max_group=self.max_group,
        )


class DistinctModel(Model):
    key: ByJson
    count: int = 1
    times: int = 1
    reserved: bool = True
    filter: ExprModel | None = None
    update_total: bool = False
    grades: list[FiniteFloat] = Spec([], max_length=_MAX_LISTED)

    def to_distinct(self) -> Distinct:
        return Distinct(
            key=by_of(self.key),
            count=self.count,
            times=self.times,
            reserved=self.reserved,
            filter=None if self.filter is None else self.filter.to_expr(),
            update_total=self.update_total,
            grades=tuple(self.grades),
        )


def _one_or_list(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<one>"


DistinctsJson = Annotated[
    Annotated[DistinctModel, Tag("<one>")]
    | Annotated[list[DistinctModel], Tag("<list>"), Spec(max_length=_MAX_LISTED)],
    Discriminator(_one_or_list),
]
"""One may stand without its list."""


class VariableModel(Model):
    name: str = Spec(min_length=1)
    value: ValueJson

    def to_variable(self) -> Variable:
        return Variable(self.name, value_of(self.value))


class RankModel(Model):
    proxima_score: str | None = None


class PlanModel(Model):
    version: OneOf[1] = 1
    table: str | None = None
    query: NodeModel | None = None
    filter: ExprModel | None = None
    filter_mode: OneOf["pre", "post"] = "pre"
    rank: RankModel = RankModel()
    sort: list[SortModel] = Spec([SortModel()], min_length=1, max_length=16)
    distinct: DistinctsJson | None = None
    aggregates: list[AggregateModel] = Spec([], max_length=_MAX_LISTED)
    offset: int = 0
    limit: int = 10
    output_fields: list[str] | None = None
    variables: list[VariableModel] = Spec([], max_length=_MAX_LISTED)
    timeout_s: FiniteFloat | None = None

    def to_plan(self, table: str) -> SearchPlan:
        return SearchPlan(
            table=table,
            query=None if self.query is None else self.query.to_node(),
            filter=None if self.filter is None else self.filter.to_expr(),
            filter_mode=self.filter_mode,
            rank=Rank(self.rank.proxima_score),
            sort=tuple(key.to_key() for key in self.sort),
            distinct=self._distincts(),
            aggregates=tuple(aggregate.to_aggregate() for aggregate in self.aggregates),
            offset=self.offset,
            limit=self.limit,
            output_fields=None if self.output_fields is None else tuple(self.output_fields),
            variables=tuple(variable.to_variable() for variable in self.variables),
            timeout_s=self.timeout_s,
        )

    def _distincts(self) -> tuple[Distinct, ...]:
        given = self.distinct if isinstance(self.distinct, list) else [self.distinct]
        return tuple(distinct.to_distinct() for distinct in given if distinct is not None)


def read_model(model: type[ModelT], body: Mapping[str, Any]) -> ModelT:
    """The body as a model. Raises RequestError that names the first wrong place by its JSON path."""
    _check_depth(body)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"] if not str(part).startswith("<")) or "body"
        raise RequestError(f"{path}: {first['msg']}", code=HaCode.PARSE_SYNTAX) from error


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
