"""The bodies of the golden files: `python tests/engines/opensearch_cases.py` writes them anew."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from engine_samples import ALL_KINDS, compare, full_spec, make_schema, make_spec, query

from engines.contract import RowsQuery
from engines.opensearch import bodies, scripts
from engines.opensearch.documents import document
from engines.opensearch.filters import compile_filter
from engines.opensearch.mapping import index_body
from engines.opensearch.pool_bodies import PoolBodies
from havengate.setting_groups import EngineSettings
from havengate.types import (
    And,
    Arith,
    AtLeast,
    Call,
    Compare,
    Contains,
    Exists,
    Field,
    In,
    InPolygon,
    Literal,
    Match,
    Not,
    Or,
    Range,
    Row,
    SortKey,
)
from schemas.table import FieldType, Hnsw

GOLDEN = Path(__file__).with_name("opensearch_golden")
EVERY_TYPE = make_schema(
    [*((kind.value.lower(), kind, False) for kind in FieldType), ("many", FieldType.INT32, True)], key=FieldType.STRING
)
SCHEMA = make_schema(
    [*ALL_KINDS, ("title", FieldType.TEXT, False), ("titles", FieldType.TEXT, True)],
    indexes=(("vector", 2, "SquaredEuclidean"), ("other", 2, "InnerProduct")),
)
TWO_SPACES = make_schema((), indexes=(("vector", 2, "SquaredEuclidean"), ("other", 2, "InnerProduct")))
ROW = Row(
    "1",
    {
        "id": 1,
        "f": 0.1,
        "title": "Red 红色头盔",
        "titles": ["a b", "", "头盔"],
        "is": [3, 1, 3],
        "fs": [],
        "m": {"color": "red", "sizes": [5, "L"], "none": []},
    },
    {"vector_field": np.array([1, 0.5], np.float32)},
    {"vector_field": "hash"},
)
SMALL = compare("i8", "<", 5)
SCRIPTS = {source: name for name, source in vars(scripts).items() if name[0].isupper() and isinstance(source, str)}
SQUARE = tuple(map(Literal, (0, 0, 4, 0, 4, 4, 0, 4)))

FILTERS = {
    "equal": compare("i64", "=", 5),
    "not_equal": compare("s", "!=", "x"),
    "integer_bounds": And((compare("i64", "<", 2.5), compare("i64", ">=", -(2**70)), compare("u64", ">", 2**64 - 2))),
    "beyond_the_type": Or((compare("i8", "=", 128), compare("i8", ">", 127), compare("i8", "<=", 1000))),
    "float_is_rounded": compare("f", "=", 0.1),
    "literal_first": Compare("<", Literal(5), Field("i64")),
    "negation": Not(And((compare("i64", "=", 1), Not(compare("s", "<", "m"))))),
    "equalities_of_one_field_are_merged": Or((compare("i64", "=", 1), compare("s", "=", "x"), compare("i64", "=", 2))),
    "in": In(Field("ss"), (Literal("a"), Literal("b"))),
    "not_in": Not(In(Field("ss"), (Literal("a"),))),
    "in_nothing": In(Field("i64"), ()),
    "map_text": compare("m", "=", "red", "color"),
    "map_number": compare("m", ">", 5, "size"),
    "map_not": Not(compare("m", "=", 5.5, "size")),
    "two_numbers": Compare("<=", Field("i64"), Field("f")),
    "two_texts": Not(Compare("<=", Field("s"), Field("s"))),
    "range": Range(Field("is"), Literal(1), Literal(5), include_high=False),
    "range_of_floats": Range(Field("f"), Literal(0.1), None, include_low=False),
    "range_beyond_the_type": Range(Field("i8"), Literal(-1000), Literal(1000)),
    "range_without_bounds": Range(Field("d")),
    "not_range": Not(Range(Field("i64"), Literal(1), Literal(5))),
    "range_of_nothing": Range(Field("i8"), Literal(1000)),
    "contains_part": Contains(Field("s"), Literal("a*b?c\\")),
    "contains_long_part": Contains(Field("s"), Literal("ab" * 40)),
    "contains_value": Contains(Field("ss"), Literal("a")),
    "contains_number": Contains(Field("is"), Literal(5)),
    "contains_empty": Contains(Field("s"), Literal("")),
    "contains_map": Contains(Field("m", "a*"), Literal("red")),
    "contains_map_number": Contains(Field("m", "size"), Literal(5)),
    "not_contains": Not(Contains(Field("s"), Literal("x"))),
    "exists": Exists(Field("is")),
    "exists_is_said_by_a_range": And((Exists(Field("is")), Range(Field("is"), Literal(1)), Exists(Field("s")))),
    "exists_is_said_by_a_comparison": And((Exists(Field("s")), compare("s", "=", "a"), Exists(Field("is")))),
    "not_exists_or_not_in_a_range": Not(And((Exists(Field("is")), Range(Field("is"), Literal(1))))),
    "exists_map": Exists(Field("m")),
    "exists_key": Exists(Field("m", "color")),
    "not_exists": Not(Exists(Field("s"))),
    "match": Match(Field("title"), "红色头盔 XL"),
    "match_phrase": Match(Field("titles"), "red helmet", phrase=True),
    "at_least": AtLeast((compare("i64", "=", 1), compare("i64", "=", 2), Not(compare("s", "=", "x"))), 2),
    "not_at_least": Not(AtLeast((compare("i64", "=", 1), Match(Field("title"), "头盔")), 2)),
    "at_least_of_too_few": AtLeast((compare("i8", ">", 1000), compare("i64", "=", 1)), 2),
    "match_nothing": Match(Field("title"), "..."),
    "not_match": Not(Match(Field("title"), "...")),
    "arithmetic": Compare(">", Arith("/", Arith("+", Field("i64"), Literal(1)), Field("u64")), Literal(2**63)),
    "arithmetic_of_reals": Compare("<=", Literal(0.5), Arith("*", Field("f"), Literal(2))),
    "arithmetic_bits": Not(Compare("=", Arith("&", Field("u64"), Literal(2**64 - 1)), Field("i64"))),
    "call": Compare("<", Call("distance", (Field("d"), Literal(30), Literal(120.5), Field("i8"))), Literal(0.1)),
    "call_in_arithmetic": Compare(">", Arith("+", Call("pow", (Field("f"), Literal(2))), Field("i64")), Literal(5)),
    "length": Not(Compare(">", Call("fieldlen", (Field("ss"),)), Literal(2))),
    "texts_computed": Compare(
        "!=", Call("string_replace", (Field("s"), Literal("a😀a"), Literal("-"))), Call("to_string", (Field("u64"),))
    ),
    "in_polygon": InPolygon(Field("d"), Arith("/", Field("i8"), Literal(2)), SQUARE, edge=True),
    "not_in_polygon": Not(InPolygon(Literal(1), Field("f"), Field("fs"))),
    "arithmetic_beside_infinity": Compare("<", Arith("-", Field("d"), Field("i8")), Literal(float("inf"))),
}


def with_graph(schema):
    indexes = schema.vector_indexes
    return replace(schema, vector_indexes={name: replace(index, hnsw=Hnsw(m=32)) for name, index in indexes.items()})


def cases():
    settings = EngineSettings(kind="opensearch")
    yield "mapping_every_type", index_body(make_spec("T", EVERY_TYPE), ("havengate-T",), settings)
    several = settings.model_copy(update={"shards": 3, "replicas": "2"})
    yield "mapping_shards_and_replicas", index_body(full_spec("t"), ("havengate-t",), several)
    faiss = settings.model_copy(update={"knn_engine": "faiss"})
    yield "mapping_faiss", index_body(make_spec("t", TWO_SPACES), ("havengate-t",), faiss)
    yield "mapping_graph_of_the_schema", index_body(make_spec("t", with_graph(TWO_SPACES)), ("havengate-t",), settings)
    for name, expression in FILTERS.items():
        yield f"filter_{name}", compile_filter(expression, SCHEMA)
    yield "pool_approximate", PoolBodies(SCHEMA, query((1, 0.5), n=3)).approximate()
    yield (
        "pool_approximate_filtered",
        PoolBodies(SCHEMA, query((1, 0.5), n=100, filter=SMALL, columns=("s",))).approximate(),
    )
    yield "pool_approximate_post", PoolBodies(SCHEMA, query((1, 0.5), filter=SMALL, filter_mode="post")).approximate()
    yield "pool_several_vectors", PoolBodies(SCHEMA, query((1, 0), (0, 1), n=5000, index="other")).approximate()
    yield "pool_exact", PoolBodies(SCHEMA, query((1, 0.5), filter=SMALL)).exact()
    yield "count_base_post", PoolBodies(SCHEMA, query((1, 0.5), filter=SMALL, filter_mode="post")).count_base()
    yield "count_matched", PoolBodies(SCHEMA, query((1, 0.5), filter=SMALL)).count_matched()
    within = query((1, 0.5), within=compare("i64", "=", 1), filter=SMALL, filter_mode="post")
    yield "pool_within", PoolBodies(SCHEMA, within).approximate()
    yield "count_base_within", PoolBodies(SCHEMA, within).count_base()
    yield "pool_marks", PoolBodies(SCHEMA, query((1, 0.5), marks=(SMALL, Match(Field("title"), "头盔")))).approximate()
    yield "filter_long_text", compile_filter(compare("m", "<", "x" * 500, "k"), SCHEMA)
    yield "rows", bodies.matching(SCHEMA, RowsQuery(), 10)
    yield "rows_filtered_later_page", bodies.matching(SCHEMA, RowsQuery(SMALL), 10_000, after=[5])
    yield "rows_marks", bodies.matching(SCHEMA, RowsQuery(SMALL, marks=(Exists(Field("s")),)), 10)
    order = (SortKey(Field("f"), descending=True), SortKey(Field("i64"), descending=False))
    yield "rows_order", bodies.matching(SCHEMA, RowsQuery(order=order, limit=7), 7)
    yield "document", document(SCHEMA, ROW)
    yield "fetch", bodies.by_ids(["1", "2"], ["vector_field"])
    yield "vectors_by_source", bodies.by_sources(SCHEMA, "vector_field", ["a", "b"])
    yield "scan", bodies.in_order(SCHEMA, None, 3)
    yield "scan_on", bodies.in_order(SCHEMA, "7", 3)
    yield "scan_on_behind_a_text", bodies.in_order(EVERY_TYPE, "7", 3)
    yield "statistics", bodies.statistics(SCHEMA)
    for source, name in SCRIPTS.items():
        yield f"script_{name.lower()}", source.splitlines()


def written(body):
    """With the names of scripts instead of their sources, which have files of their own."""
    return json.dumps(_named(body), indent=1, sort_keys=True) + "\n"


def _named(part):
    if isinstance(part, dict):
        return {key: SCRIPTS[item] if key == "source" else _named(item) for key, item in part.items()}
    return [_named(item) for item in part] if isinstance(part, list) else part


if __name__ == "__main__":
    for path in GOLDEN.glob("*.json"):
        path.unlink()
    for name, body in cases():
        (GOLDEN / f"{name}.json").write_text(written(body))
