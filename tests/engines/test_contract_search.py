"""Pools: exact numbers, total order, thresholds, modes, and refusals that name what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from engine_samples import compare, keys, make_row, make_schema, make_spec, query

from engines.contract import PoolQuery, RowsQuery
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import FIELDS, KEY, PK, SCORE, And, Compare, Field, In, Literal, Not, Or, Row
from schemas.table import FieldType


@pytest.fixture
def table(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, (key, 0), i64=key) for key in (10, 9, 1, 2)])
    engine.upsert("t", [make_row(3, i64=3)])
    return engine


def wide_rows(count, dimension, seed):
    numbers = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    return numbers / np.linalg.norm(numbers, axis=1, keepdims=True)


@pytest.mark.parametrize("mode", ["pre", "post"])
def test_a_query_may_ask_for_the_true_best(table, mode):
    table.upsert("t", [make_row(key, (key, 0), i64=key % 2) for key in range(1, 31)])
    asked = query((0, 0), n=4, filter=compare("i64", "=", 1), filter_mode=mode, marks=(compare("i64", "=", 1),))
    found, exact = table.pool("t", asked), table.pool("t", replace(asked, exact=True))
    assert keys(exact) == (["1", "3", "5", "7"] if mode == "pre" else ["1", "3"])
    assert exact.frame.equals(found.frame)
    assert (exact.matched, exact.strategy, exact.cut_by) == (found.matched, "exact", found.cut_by)


def test_ties_follow_the_key_as_a_number(table):
    table.upsert("t", [make_row(key, (0, 5)) for key in (100, 20, 3)])
    assert keys(table.pool("t", query((0, 5), n=2))) == ["3", "20"]
    assert keys(table.pool("t", query((0, 5), n=3))) == ["3", "20", "100"]


def test_the_frame_has_the_key_the_score_and_the_columns_asked_for(table):
    pool = table.pool("t", query((0, 0), n=2, columns=("i64", "s", "id")))
    assert pool.frame.schema == {
        PK: pl.String, KEY: pl.Int64, SCORE: pl.Float64, FIELDS: pl.String, "i64": pl.Int64, "s": pl.String,
        "id": pl.Int64,
    }  # fmt: skip
    assert pool.frame.drop(FIELDS).rows() == [("1", 1, 1.0, 1, None, 1), ("2", 2, 4.0, 2, None, 2)]
    assert [json.loads(text) for text in pool.frame[FIELDS]] == [{"id": 1, "i64": 1}, {"id": 2, "i64": 2}]
    assert (pool.matched, pool.strategy) == (4, "exact")
    assert table.rows("t", RowsQuery(None, ("i64",))).frame.columns == [PK, KEY, FIELDS, "i64"]


def test_a_filter_applies_before_the_n_best_or_after_them(table):
    far = compare("i64", ">=", 9)
    assert keys(table.pool("t", query((0, 0), n=2, filter=far))) == ["9", "10"]
    after = table.pool("t", query((0, 0), n=3, filter=far, filter_mode="post"))
    assert (keys(after), after.matched) == (["9"], 2)
    assert keys(table.pool("t", query((0, 0), n=2, filter=far, filter_mode="post"))) == []


def test_rows_without_a_vector_match_no_vector_term(table):
    pool = table.pool("t", query((0, 0), filter=compare("i64", "=", 3)))
    assert (keys(pool), pool.matched) == ([], 0)
    assert table.rows("t", RowsQuery(compare("i64", "=", 3))).matched == 1


def test_a_threshold_is_strict(table):
    assert keys(table.pool("t", query((0, 0), score_threshold=4.0))) == ["1"]
    assert keys(table.pool("t", query((0, 0), score_threshold=4.000001))) == ["1", "2"]
    assert table.pool("t", query((0, 0), score_threshold=0.0)).matched == 4


def test_inner_products_are_larger_first_and_strictly_above_the_threshold(engine):
    engine.create_table(make_spec(schema=make_schema(indexes=(("vector", 2, "InnerProduct"),))))
    engine.upsert("t", [make_row(key, (key, -key)) for key in range(-3, 4)])
    pool = engine.pool("t", query((1, 0), n=4))
    assert list(zip(keys(pool), pool.frame[SCORE], strict=True)) == [("3", 3), ("2", 2), ("1", 1), ("0", 0)]
    assert keys(engine.pool("t", query((1, 0), score_threshold=2.0))) == ["3"]


def test_the_best_of_several_query_vectors_counts(table):
    pool = table.pool("t", query((10, 0), (1, 0), n=3))
    assert list(zip(keys(pool), pool.frame[SCORE], strict=True)) == [("1", 0), ("10", 0), ("2", 1)]


@pytest.mark.parametrize("distance", ["SquaredEuclidean", "InnerProduct"])
@pytest.mark.parametrize("dimension", [1, 7, 512])
def test_wide_tables_answer_to_the_last_bit(engine, distance, dimension):
    """Scores are those of float64 arithmetic on the stored vectors, and the order is theirs."""
    count = 3000 if dimension < 512 else 600  # more are searched by a graph where an engine has one
    rows, queries = wide_rows(count, dimension, 1), wide_rows(3, dimension, 2)
    engine.create_table(make_spec(schema=make_schema((), indexes=(("vector", dimension, distance),))))
    engine.upsert("t", [make_row(key, numbers) for key, numbers in enumerate(rows)])
    pairs = [rows.astype(np.float64) * q for q in queries.astype(np.float64)]
    if distance == "SquaredEuclidean":
        pairs = [(rows.astype(np.float64) - q) ** 2 for q in queries.astype(np.float64)]
        losses = np.min([pair.sum(axis=1) for pair in pairs], axis=0)
    else:
        losses = -np.max([pair.sum(axis=1) for pair in pairs], axis=0)
    best = np.lexsort([np.arange(count), losses])[:50]
    pool = engine.pool("t", PoolQuery("vector", queries, 50))
    assert keys(pool) == [str(key) for key in best]
    sign = -1 if distance == "InnerProduct" else 1
    np.testing.assert_allclose(pool.frame[SCORE], sign * losses[best], rtol=1e-12, atol=1e-14)


def test_a_row_is_at_distance_zero_from_itself(engine):
    rows = wide_rows(500, 512, 3) * np.float32(1000)
    engine.create_table(make_spec(schema=make_schema((), indexes=(("vector", 512, "SquaredEuclidean"),))))
    engine.upsert("t", [make_row(key, numbers) for key, numbers in enumerate(rows)])
    for key in (0, 250, 499):
        pool = engine.pool("t", PoolQuery("vector", rows[key : key + 1], 1))
        assert pool.frame.select(PK, SCORE).rows() == [(str(key), 0.0)]


def test_answers_do_not_depend_on_the_order_of_writing_nor_on_what_else_is_there(engine):
    rows, q = wide_rows(2000, 33, 4), wide_rows(1, 33, 5)
    rows[1000:] = rows[:1000]  # every row twice: all scores tie in pairs
    schema = make_schema((("i64", FieldType.INT64, False),), indexes=(("vector", 33, "SquaredEuclidean"),))
    answers = []
    for name, order in (
        ("a", range(2000)),
        ("b", range(1999, -1, -1)),
        ("c", np.random.default_rng(6).permutation(2000)),
    ):
        engine.create_table(make_spec(name, schema))
        for part in np.array_split(np.array(order), 7):
            engine.upsert(name, [make_row(int(key), rows[key], i64=int(key) % 10) for key in part])
        answers.append(engine.pool(name, PoolQuery("vector", q, 101)).frame.rows())
    assert answers[0] == answers[1] == answers[2]
    few = engine.pool("a", PoolQuery("vector", q, 2000, filter=compare("i64", "=", 3))).frame.rows()
    everything = engine.pool("a", PoolQuery("vector", q, 2000)).frame.rows()
    assert few == [row for row in everything if row[1] % 10 == 3]


@pytest.mark.parametrize("scale", [1e-30, 1e19, 1e38])
def test_extreme_lengths_do_not_spoil_the_order(engine, scale):
    """Products that overflow or vanish in float32 are decided in float64."""
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, (scale * key / 100, scale)) for key in range(100)])
    assert keys(engine.pool("t", query((scale * 0.4, scale), n=1))) == ["40"]


def test_overflow_in_one_row_does_not_hide_another(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1, (-1e38, 0)), make_row(2, (0, 1e38))])
    assert keys(engine.pool("t", query((1e38, 0), n=1))) == ["2"]


def test_a_far_rows_overflow_does_not_pass_for_nearness(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1, (5e20, 0)), make_row(2, (1e18, 0))])
    assert keys(engine.pool("t", query((1e20, 0), n=1))) == ["2"]


@pytest.mark.parametrize(("other", "best"), [(0.5, "3"), (-0.5, "1")])
def test_an_overflow_on_the_way_to_a_small_product_decides_nothing(engine, other, best):
    """The terms of rows 1 and 2 overflow float32 with either sign, whatever their order; their sum is zero."""
    engine.create_table(make_spec(schema=make_schema(indexes=(("vector", 2, "InnerProduct"),))))
    engine.upsert("t", [make_row(1, (3e38, 3e38)), make_row(2, (-3e38, -3e38)), make_row(3, (other, 0))])
    assert keys(engine.pool("t", query((2, -2), n=1))) == [best]


def test_neighbours_closer_than_float32_products_can_tell_are_told_apart(engine):
    """Far from the origin the products' rounding is larger than the distances themselves."""
    near = np.random.default_rng(7).permutation(1000).astype(np.float32)
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, (3000, 1000 + step / 4096)) for key, step in enumerate(near)])
    pool = engine.pool("t", query((3000, 1000), n=20))
    assert keys(pool) == [str(key) for key in np.argsort(near)[:20]]
    assert pool.frame[SCORE].to_list() == [(step / 4096) ** 2 for step in range(20)]


def test_an_empty_table_answers(engine):
    engine.create_table(make_spec())
    pool = engine.pool("t", query((0, 0), filter=compare("i64", "=", 1), columns=("i64",)))
    assert (pool.frame.columns, pool.frame.height, pool.matched) == ([PK, KEY, SCORE, FIELDS, "i64"], 0, 0)
    assert engine.rows("t", RowsQuery()).frame.height == 0


def test_more_may_be_asked_for_than_there_is(table):
    assert keys(table.pool("t", query((0, 0), n=10_000))) == ["1", "2", "9", "10"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (query((0, 0), index="absent"), HaCode.INDEX_NOT_EXIST),
        (query((0, 0, 0)), HaCode.QUERY_INVALID),
        (query((0, float("nan"))), HaCode.QUERY_INVALID),
        (query((0, float("inf"))), HaCode.QUERY_INVALID),
        (query((0, 0), n=0), HaCode.QUERY_INVALID),
        (query((0, 0), score_threshold=float("nan")), HaCode.QUERY_INVALID),
        (query((0, 0), filter_mode="around"), HaCode.QUERY_INVALID),
        (PoolQuery("vector", np.zeros((0, 2), np.float32), 1), HaCode.QUERY_INVALID),
        (PoolQuery("vector", np.zeros(2, np.float32), 1), HaCode.QUERY_INVALID),
        (PoolQuery("vector", np.zeros((1, 2)), 1), HaCode.QUERY_INVALID),
        (query((0, 0), columns=("absent",)), HaCode.ATTRIBUTE_NOT_EXIST),
        (query((0, 0), columns=("vector_field",)), HaCode.ATTRIBUTE_NOT_EXIST),
    ],
)
def test_a_wrong_query_is_refused(table, wrong, code):
    with pytest.raises(RequestError) as caught:
        table.pool("t", wrong)
    assert caught.value.code == code


def nested(depth):
    node = compare("i64", "=", 1)
    for _ in range(depth):
        node = Not(node)
    return node


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (compare("absent", "=", 1), HaCode.ATTRIBUTE_NOT_EXIST),
        (compare("vector_field", "=", 1), HaCode.ATTRIBUTE_NOT_EXIST),
        (compare("m", "=", 1), HaCode.ATTRIBUTE_NOT_EXIST),
        (compare("i64", "=", 1, path="k"), HaCode.ATTRIBUTE_NOT_EXIST),
        (compare("i64", "=", "1"), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
        (compare("ss", "=", 1), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
        (compare("i64", "=", float("nan")), HaCode.CONST_EXPRESSION_VALUE),
        (compare("i64", "=", True), HaCode.CONST_EXPRESSION_VALUE),
        (compare("i64", "~", 1), HaCode.FILTER_CLAUSE),
        (In(Field("i64"), (Literal(1), Literal("1"))), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
        (Compare("=", Literal(1), Literal(1)), HaCode.EXPRESSION_LR_ALL_CONST_VALUE),
        (Compare("=", Field("i64"), Field("s")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
        (Compare("=", Field("i64"), Field("is")), HaCode.EXPRESSION_WITH_MULTI_VALUE),
        (Compare("=", Field("m", "k"), Field("s")), HaCode.EXPRESSION_RESULT_UNKNOWN_TYPE),
        (And(()), HaCode.FILTER_CLAUSE),
        (Or(()), HaCode.FILTER_CLAUSE),
        (Field("i64"), HaCode.FILTER_CLAUSE),
        (nested(5000), HaCode.FILTER_CLAUSE),
    ],
)
def test_a_wrong_filter_is_refused(table, wrong, code):
    for call in (lambda: table.rows("t", RowsQuery(wrong)), lambda: table.pool("t", query((0, 0), filter=wrong))):
        with pytest.raises(RequestError) as caught:
            call()
        assert caught.value.code == code


def test_long_and_deep_filters_are_answered(table):
    many = Or(tuple(compare("i64", "=", value) for value in range(3000)))
    assert table.rows("t", RowsQuery(many)).matched == 5
    assert keys(table.rows("t", RowsQuery(nested(150)))) == ["1"]
    assert keys(table.rows("t", RowsQuery(In(Field("i64"), tuple(map(Literal, range(1, 100_001))))))) == [
        "1",
        "2",
        "3",
        "9",
        "10",
    ]


def test_a_map_answers_by_key_and_kind(engine):
    engine.create_table(make_spec())
    tags = [{"color": "red", "size": 5}, {"color": ["blue", "red"], "size": "5"}, {"size": 5.5}, {"color": []}, None]
    rows = [make_row(key, m=tag) if tag is not None else Row(str(key), {"id": key}) for key, tag in enumerate(tags)]
    engine.upsert("t", rows)

    def found(*parts):
        return keys(engine.rows("t", RowsQuery(compare("m", *parts))))

    assert found("=", "red", "color") == ["0", "1"]
    assert found("!=", "red", "color") == []
    assert found("!=", "blue", "color") == ["0"]
    assert found("=", 5, "size") == ["0"]
    assert found("=", "5", "size") == ["1"]
    assert found(">=", 5, "size") == ["0", "2"]
    assert found("!=", 5, "size") == ["1", "2"]
    assert found("=", "red", "absent") == []
    assert keys(engine.rows("t", RowsQuery(Not(compare("m", "=", "red", "color"))))) == []
    assert keys(engine.rows("t", RowsQuery(In(Field("m", "size"), (Literal("5"), Literal(5.5)))))) == ["1", "2"]


@pytest.mark.parametrize("name", ["key", "score", "_key"])
def test_a_field_may_have_any_name(engine, name):
    engine.create_table(make_spec(schema=make_schema(((name, FieldType.INT64, False),))))
    engine.upsert("t", [make_row(1, (0, 0), **{name: 5})])
    pool = engine.pool("t", query((0, 0), filter=compare(name, "=", 5), columns=(name,)))
    assert pool.frame.drop(FIELDS).rows(named=True) == [{PK: "1", KEY: 1, SCORE: 0.0, name: 5}]


def test_what_a_term_searches_at_all_comes_before_its_n_best(table):
    far = compare("i64", ">=", 9)
    for mode in ("pre", "post"):
        pool = table.pool("t", query((0, 0), n=2, within=far, filter_mode=mode))
        assert (keys(pool), pool.matched, pool.cut_by) == (["9", "10"], 2, ())


def test_a_pool_names_what_cut_it(table):
    far, near = compare("i64", ">=", 9), {"score_threshold": 1.5}
    assert table.pool("t", query((0, 0), n=2, filter_mode="post")).cut_by == ()
    assert table.pool("t", query((0, 0), n=2, filter=far, filter_mode="post")).cut_by == ("filter_mode:post",)
    assert table.pool("t", query((0, 0), n=2, **near)).cut_by == ("sf",)
