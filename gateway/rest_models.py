"""The JSON of POST /{table}/search, as the vendor documents its clauses: strict, nothing unknown is taken.

Sources: the pages of the Retrieval Engine Edition's RESTful API (recall-the-engine-version-restful-api-syntax,
aggs-clause-1, cache-clause-1, distinct-clause-4, sort-clauses-2, analyzer-clause-2, cluster-clause-2, rank-clause-1,
the-summary-clause-1).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    ValidationError,
)

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt

MOST_ITEMS = 1000
_OBJECT = ("dict_type", "model_type")
"""Errors that pydantic words with the names of classes."""
Number = StrictInt | FiniteFloat
Scalar = StrictStr | StrictInt | FiniteFloat | StrictBool


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Clusters(_Model):
    hash_field: list[StrictStr | StrictInt] | None = Field(None, max_length=MOST_ITEMS)
    part_ids: list[StrictInt] | None = Field(None, max_length=MOST_ITEMS)


class Aggregation(_Model):
    group_key: StrictStr | list[StrictStr]
    agg_fun: StrictStr | list[StrictStr]
    agg_filter: StrictStr | None = None
    agg_range: list[Number] | None = Field(None, max_length=MOST_ITEMS)
    max_group: StrictInt | None = None
    agg_sampler_threshold: StrictInt | None = None
    agg_sampler_step: StrictInt | None = None
    order_by: Literal["count"] | None = None
    """Groups come by count in any case."""


class Dispersal(_Model):
    dist_key: StrictStr
    dist_count: StrictInt | None = None
    dist_times: StrictInt | None = None
    max_item_count: StrictInt | None = None
    reserved: StrictBool | None = None
    update_total_hit: StrictBool | None = None
    dist_filter: StrictStr | None = None
    grade: list[Number] | None = Field(None, max_length=MOST_ITEMS)


class Dispersals(_Model):
    """``rank`` is the rough sort's, ``rerank`` the fine sort's; ``default`` stands in for either."""

    default: Dispersal | None = None
    rank: Dispersal | None = None
    rerank: Dispersal | None = None


def _dispersal(value: object) -> str:
    return "phases" if isinstance(value, dict) and value.keys() & {"default", "rank", "rerank"} else "one"


class SortKey(_Model):
    expression: StrictStr
    order: Literal["asc", "desc"] = "desc"


class Layer(_Model):
    range: StrictStr | list[StrictStr] | None = None
    quota: StrictInt | Literal["UNLIMITED"] | None = None


class Cache(_Model):
    enabled: StrictBool | None = None
    cache_key: StrictInt | None = None
    expire_time: StrictStr | StrictInt | None = None
    current_time: StrictInt | None = None
    cache_filter: StrictStr | None = None
    cache_doc_num_limit: list[StrictInt] | None = Field(None, max_length=MOST_ITEMS)
    refresh_attributes: list[StrictStr] | None = Field(None, max_length=MOST_ITEMS)


class Summary(_Model):
    gids: list[StrictStr] | None = Field(None, max_length=MOST_ITEMS)


class Script(_Model):
    lang: Literal["expression"]
    source: StrictStr


class Ranking(_Model):
    ranking: Script | None = None
    reranking: Script | None = None
    rank_profile: StrictStr | None = None
    fieldboost: dict[StrictStr, StrictInt] | None = None
    rank_hint: StrictStr | None = None


class RestSearch(_Model):
    """The whole body. A text in the place of a list's object is what HA3 has there."""

    query: StrictStr | dict[StrictStr, Any] | None = None
    filter: StrictStr | None = None
    config: dict[StrictStr, Scalar] = Field(default_factory=dict, max_length=MOST_ITEMS)
    cluster: list[StrictStr] | Clusters | None = None
    aggs: list[Aggregation] = Field(default_factory=list, max_length=MOST_ITEMS)
    distinct: (
        Annotated[Annotated[Dispersal, Tag("one")] | Annotated[Dispersals, Tag("phases")], Discriminator(_dispersal)]
        | None
    ) = None
    sort: list[SortKey | StrictStr] = Field(default_factory=list, max_length=MOST_ITEMS)
    layer: list[Layer | StrictStr] = Field(default_factory=list, max_length=MOST_ITEMS)
    analyzer: dict[StrictStr, StrictStr | list[StrictStr] | dict[StrictStr, StrictStr]] = Field(default_factory=dict)
    cache: Cache | None = None
    summary: Summary | None = None
    rank: Ranking | None = None
    kvpairs: dict[StrictStr, Scalar] = Field(default_factory=dict, max_length=MOST_ITEMS)


def read_search(body: dict[str, Any]) -> RestSearch:
    """Raises RequestError naming the JSON path: 1056 for an unknown clause, 1012 without a query, 1002 for the rest."""
    try:
        search = RestSearch.model_validate(body)
    except ValidationError as error:
        raise _refusal(error, body) from None
    if search.query is None and search.summary is None:
        raise RequestError("the key query is missing", code=HaCode.NO_QUERY_CLAUSE)
    return search


def _refusal(error: ValidationError, body: dict[str, Any]) -> RequestError:
    """The error that reached deepest: of a union's members it is the one that was meant."""
    found = [(_path(detail["loc"], detail["type"], body), detail) for detail in error.errors(include_url=False)]
    deepest = max((path for path, _ in found), key=len)
    details = [detail for path, detail in found if path == deepest]
    shown = excerpt(".".join(map(str, deepest)))
    if details[0]["type"] == "extra_forbidden":
        code = HaCode.UNKNOWN_CLAUSE if len(deepest) == 1 else HaCode.KEY_VALUE_PAIR
        return RequestError(f"{shown}: there is no such key", code=code)
    says = ", or ".join(
        dict.fromkeys("Input should be an object" if detail["type"] in _OBJECT else detail["msg"] for detail in details)
    )
    return RequestError(f"{shown}: {says}", code=HaCode.KEY_VALUE_PAIR)


def _path(location: tuple[str | int, ...], kind: str, value: Any) -> tuple[str | int, ...]:
    """Where in the body an error is: pydantic's location without the names of a union's members."""
    path: list[str | int] = []
    for part in location:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        elif kind != "missing" or part != location[-1]:
            continue
        path.append(part)
    return tuple(path)
