"""The bodies of the golden files: `python tests/engines/opensearch_cases.py` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

from engine_samples import compare, full_spec, make_schema, make_spec, query

from engines.opensearch import bodies
from engines.opensearch.filters import compile_filter
from engines.opensearch.mapping import index_body
from havengate.settings import EngineSettings
from havengate.types import And, Compare, Field, In, Literal, Not, Or
from schemas.table import FieldType

GOLDEN = Path(__file__).with_name("opensearch_golden")
EVERY_TYPE = make_schema(
    [*((kind.value.lower(), kind, False) for kind in FieldType), ("many", FieldType.INT32, True)], key=FieldType.STRING
)
SCHEMA = make_schema(indexes=(("vector", 2, "SquaredEuclidean"), ("other", 2, "InnerProduct")))
SMALL = compare("i8", "<", 5)

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
}


def cases():
    settings = EngineSettings(kind="opensearch")
    yield "mapping_every_type", index_body(make_spec("T", EVERY_TYPE), "havengate-T", settings)
    several = settings.model_copy(update={"shards": 3, "replicas": "2"})
    yield "mapping_shards_and_replicas", index_body(full_spec("t"), "havengate-t", several)
    for name, expression in FILTERS.items():
        yield f"filter_{name}", compile_filter(expression, SCHEMA)
    yield "pool_approximate", bodies.approximate(SCHEMA, query((1, 0.5), n=3))
    yield "pool_approximate_filtered", bodies.approximate(SCHEMA, query((1, 0.5), n=100, filter=SMALL, columns=("s",)))
    yield "pool_approximate_post", bodies.approximate(SCHEMA, query((1, 0.5), filter=SMALL, filter_mode="post"))
    yield "pool_several_vectors", bodies.approximate(SCHEMA, query((1, 0), (0, 1), n=5000, index="other"))
    yield "pool_exact", bodies.exact(SCHEMA, query((1, 0.5), filter=SMALL))
    yield "count_base_post", bodies.count_base(SCHEMA, query((1, 0.5), filter=SMALL, filter_mode="post"))
    yield "count_matched", bodies.count_matched(SCHEMA, query((1, 0.5), filter=SMALL))
    yield "rows", bodies.matching(SCHEMA, None, with_row=False)
    yield "rows_filtered_later_page", bodies.matching(SCHEMA, SMALL, with_row=True, after=[5])
    yield "fetch", bodies.by_ids(["1", "2"], ["vector_field"])
    yield "vectors_by_source", bodies.by_sources(SCHEMA, "vector_field", ["a", "b"])
    yield "statistics", bodies.statistics(SCHEMA)


def written(body):
    return json.dumps(body, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for path in GOLDEN.glob("*.json"):
        path.unlink()
    for name, body in cases():
        (GOLDEN / f"{name}.json").write_text(written(body))
