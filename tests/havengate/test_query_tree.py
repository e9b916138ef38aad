"""Query trees: the answer of the gateway beside the meaning of the tree, row by row in plain Python."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_engine import SCHEMA, PlainEngine
from tree_judge import PLAIN_TREES, ROWS, TREES, Judge, holds

from havengate.errors import RequestError
from havengate.expr import Range
from havengate.query_tree import Rows, leaves, reduce_tree, weights
from havengate.search import Searcher
from havengate.setting_groups import LimitSettings
from havengate.types import (
    And,
    AndNot,
    AtLeast,
    Compare,
    Exists,
    Field,
    Literal,
    Match,
    Not,
    NumberTerm,
    Or,
    Rank,
    RankNode,
    SearchPlan,
    SortKey,
    TextTerm,
    VectorPayload,
    VectorTerm,
)

FILTER = Compare("=", Field("shop"), Literal("s"))


def searcher(rows, **limits):
    engine = PlainEngine(rows)
    return engine, Searcher(engine, None, None, LimitSettings(**limits))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, TREES, st.booleans())
def test_the_answer_is_what_the_tree_means(rows, tree, filtered):
    engine, found = searcher(rows)
    result = found.search(SearchPlan("t", tree, FILTER if filtered else None, limit=100))
    judge = Judge([row for row in rows if not filtered or row.get("shop") == "s"])
    answer = judge.answer(tree, judge.everything)
    ranks = {str(key): judge.rank(tree, key, scores) for key, scores in answer.items()}
    assert {hit.pk: hit.sort_values[0] for hit in result.hits} == pytest.approx(ranks)
    assert result.total == len(ranks)
    for hit in result.hits:
        own = [score for (boost, _), (score, _) in answer[int(hit.pk)].items() if not boost]
        assert hit.score in own or (not own and hit.score in [None, *(s for s, _ in answer[int(hit.pk)].values())])
    shown = [hit.sort_values[0] for hit in result.hits]
    assert shown == sorted(shown, reverse=True)
    asked = [query.index for query in engine.asked if hasattr(query, "index")]
    assert [certificate.index for certificate in result.certificates] == asked


@settings(deadline=None)
@given(ROWS, PLAIN_TREES)
def test_a_query_without_vectors_is_one_condition(rows, tree):
    (leaf,) = leaves(reduce_tree(tree, SCHEMA))
    assert isinstance(leaf, Rows)
    engine, found = searcher(rows)
    sort = (SortKey(Field("size"), descending=True),)
    result = found.search(SearchPlan("t", tree, sort=sort, offset=1, limit=3))
    matching = sorted(
        (row for row in rows if holds(tree, row)), key=lambda row: (-row["size"] if "size" in row else 4, row["id"])
    )
    assert [hit.pk for hit in result.hits] == [str(row["id"]) for row in matching[1:4]]
    assert result.total == len(matching)
    (query,) = engine.asked
    assert (query.order, query.limit, query.marks) == (sort, 4, ())


# --- one rule at a time ----------------------------------------------------------------------------

NEAR = VectorTerm("near", VectorPayload(((0.0, 0.0),)), n=2)
LIKE = VectorTerm("like", VectorPayload(((1.0, 0.0),)), n=2)
SHOP, SIZE = TextTerm("shop", "s", weight=3.0), NumberTerm("size", low=1, weight=5.0)
IS_S = And((Exists(Field("shop")), Compare("=", Field("shop"), Literal("s"))))
IS_LARGE = And((Exists(Field("size")), Range(Field("size"), Literal(1))))


def conditions(tree):
    return [leaf.conditions for leaf in leaves(reduce_tree(tree, SCHEMA))]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (None, [()]),
        (NEAR, [()]),
        (SHOP, [(IS_S,)]),
        (And((NEAR, SHOP)), [(IS_S,)]),
        (And((NEAR, LIKE, SHOP, SIZE)), [(IS_S, IS_LARGE)] * 2),
        (Or((SHOP, NEAR, SIZE)), [(), (Or((IS_S, IS_LARGE)),)]),
        (Or((Or((SHOP, NEAR)), SIZE)), [(), (Or((IS_S, IS_LARGE)),)]),
        (And((Or((NEAR, SIZE)), SHOP)), [(IS_S,), (IS_LARGE, IS_S)]),
        (And((AndNot(NEAR, LIKE), SHOP)), [(IS_S,), ()]),
        (AndNot(NEAR, SHOP), [(Not(IS_S),)]),
        (AndNot(SHOP, NEAR), [(IS_S,), ()]),
        (AndNot(SHOP, SIZE), [(IS_S, Not(IS_LARGE))]),
        (RankNode(NEAR, (SHOP,)), [()]),
        (RankNode(SHOP, (NEAR, SIZE)), [(IS_S,), (IS_S,)]),
        (And((RankNode(NEAR, (LIKE,)), SHOP)), [(IS_S,), ()]),
        (And((RankNode(SHOP, (LIKE,)), SIZE)), [(IS_S, IS_LARGE)] * 2),
    ],
)
def test_conditions_join_the_pools_beside_them(tree, expected):
    assert conditions(tree) == expected


def test_every_phrase_may_stand_in_any_field_of_a_pack():
    title, body = Field("title"), Field("body")
    found = [Or((Match(title, word, True), Match(body, word, True))) for word in ("x", "红 帽", "y")]
    assert conditions(TextTerm("words", "x 红帽 Y")) == [(And(tuple(found)),)]
    whole = Or((Match(title, "x Y", True), Match(body, "x Y", True)))
    assert conditions(TextTerm("words", "x Y", phrase=True)) == [(whole,)]
    long = "z" * 100
    assert conditions(TextTerm("words", long)) == [(Or((Match(title, long), Match(body, long))),)]
    with pytest.raises(RequestError, match="too long"):
        conditions(TextTerm("words", f"x {long}"))


def test_a_pack_may_be_narrowed_to_some_of_its_fields():
    title, body = Field("title"), Field("body")
    for text, phrase in (("x", False), ("x y", True)):
        narrowed = TextTerm("words", text, phrase, fields=("body",))
        assert conditions(narrowed) == [(Match(body, text, phrase),)]
    every = TextTerm("words", "x y", fields=("body", "title"), all_fields=True)
    assert conditions(every) == [(And((Match(body, "x y"), Match(title, "x y"))),)]


def test_at_least_some_of_several_terms_is_one_condition():
    tree = AtLeast((SHOP, SIZE, And((SHOP, SIZE))), 2)
    assert conditions(tree) == [(AtLeast((IS_S, IS_LARGE, And((IS_S, IS_LARGE))), 2),)]
    assert conditions(And((NEAR, tree))) == [conditions(tree)[0]]
    assert conditions(AtLeast((NEAR, SHOP), 1)) == conditions(Or((NEAR, SHOP)))
    assert conditions(AtLeast((NEAR, SHOP), 2)) == conditions(And((NEAR, SHOP)))
    with pytest.raises(RequestError, match="vectors"):
        conditions(AtLeast((NEAR, SHOP, SIZE), 2))


def test_a_weight_multiplies_what_a_vector_term_adds_and_leaves_its_score():
    rows = [{"id": 1, "near": [1.0, 0.0], "like": [1.0, 0.0]}, {"id": 2, "near": [0.0, 0.0]}]
    light, heavy, none = (VectorTerm("near", NEAR.payload, weight=weight) for weight in (0.5, 3.0, 0.0))
    other = VectorTerm("near", VectorPayload(((1.0, 0.0),)))
    for tree, expected in (
        (light, [("2", 0.0, 0.5), ("1", 1.0, 0.25)]),
        (none, [("2", 0.0, 0.0), ("1", 1.0, 0.0)]),
        (Or((light, heavy)), [("2", 0.0, 3.0), ("1", 1.0, 1.5)]),
        (And((light, heavy)), [("2", 0.0, 3.5), ("1", 2.0, 1.75)]),
        (Or((light, other)), [("1", 0.0, 1.0), ("2", 0.0, 0.5)]),
        (RankNode(NEAR, (heavy,)), [("2", 0.0, 4.0), ("1", 1.0, 2.0)]),
        (And((heavy, LIKE)), [("1", 1.0, 2.5)]),
    ):
        _, found = searcher(rows)
        hits = found.search(SearchPlan("t", tree)).hits
        assert [(hit.pk, hit.score, hit.sort_values[0]) for hit in hits] == expected


def test_terms_that_every_row_matches_need_no_mark():
    assert weights(And((SHOP, SIZE, NEAR)), SCHEMA).base == 8.0
    assert weights(Or((SHOP, SIZE)), SCHEMA).marks == ((IS_S, 3.0), (IS_LARGE, 5.0))
    assert weights(AndNot(NEAR, SHOP), SCHEMA) == weights(NEAR, SCHEMA)
    assert weights(RankNode(SHOP, (SIZE,)), SCHEMA).marks == ((IS_LARGE, 5.0),)


def test_marks_are_asked_only_where_rank_is_a_sum_and_sorts():
    boosted = RankNode(NEAR, (SHOP,))
    by_size = (SortKey(Field("size"), descending=True),)
    for plan, marks in (
        (SearchPlan("t", boosted), (IS_S,)),
        (SearchPlan("t", boosted, sort=by_size), ()),
        (SearchPlan("t", boosted, rank=Rank("near")), ()),
        (SearchPlan("t", RankNode(NEAR, (TextTerm("shop", "s", weight=0.0),))), ()),
    ):
        engine, found = searcher([])
        found.search(plan)
        assert [query.marks for query in engine.asked] == [marks]


def test_what_takes_rows_away_or_boosts_gives_no_columns():
    engine, found = searcher([])
    sort = (SortKey(Field("size"), descending=True),)
    found.search(SearchPlan("t", RankNode(AndNot(NEAR, LIKE), (LIKE,)), sort=sort))
    assert [query.columns for query in engine.asked] == [("size",), (), ()]


def test_the_conditions_of_a_query_apply_before_the_n_best_in_post_mode_too():
    rows = [{"id": key, "near": [float(key), 0.0], "shop": "t" if key < 3 else "s", "size": key} for key in range(8)]
    _, found = searcher(rows)
    plan = SearchPlan("t", And((NEAR, SHOP)), Compare("=", Field("size"), Literal(4)), filter_mode="post")
    assert [hit.pk for hit in found.search(plan).hits] == ["4"]


def test_a_boost_on_the_same_index_lifts_a_row_and_leaves_its_score():
    rows = [{"id": 1, "near": [3.0, 0.0]}, {"id": 2, "near": [2.0, 0.0]}]
    _, found = searcher(rows)
    boost = VectorTerm("near", VectorPayload(((3.0, 0.0),)), n=1)
    hits = found.search(SearchPlan("t", RankNode(NEAR, (boost,)))).hits
    assert [(hit.pk, hit.score) for hit in hits] == [("1", 9.0), ("2", 4.0)]
    assert hits[0].sort_values == (pytest.approx(1.1),)


def test_the_formula_ranks_by_a_boost_where_only_that_searches_the_index():
    rows = [{"id": 1, "near": [3.0, 0.0]}, {"id": 2, "near": [1.0, 0.0]}, {"id": 3}]
    _, found = searcher(rows)
    tree = RankNode(NumberTerm("size", low=0), (NEAR,))
    rows[0]["size"] = rows[1]["size"] = rows[2]["size"] = 1
    plan = SearchPlan("t", tree, rank=Rank("near"), sort=(SortKey(None, descending=False),))
    assert [(hit.pk, hit.score) for hit in found.search(plan).hits] == [("2", 1.0), ("1", 9.0), ("3", None)]


def test_without_a_boosts_score_rank_is_nothing_and_sorts_as_such():
    rows = [{"id": 1, "size": 1}, {"id": 2, "size": 1, "like": [-1.0, 0.0]}, {"id": 3, "size": 1, "like": [1.0, 0.0]}]
    _, found = searcher(rows)
    tree = RankNode(NumberTerm("size", low=0, weight=0.0), (LIKE,))
    for descending, keys in ((True, ["3", "1", "2"]), (False, ["2", "1", "3"])):
        plan = SearchPlan("t", tree, sort=(SortKey(None, descending),))
        assert [hit.pk for hit in found.search(plan).hits] == keys


def test_a_row_without_a_boosts_score_gains_nothing_beside_and():
    rows = [{"id": key, "near": [float(key), 0.0], "like": [1.0, 0.0]} for key in (1, 2)]
    _, found = searcher(rows)
    boost = VectorTerm("near", VectorPayload(((1.0, 0.0),)), n=1)
    hits = found.search(SearchPlan("t", And((RankNode(NEAR, (boost,)), LIKE)))).hits
    assert [(hit.pk, hit.sort_values[0]) for hit in hits] == [("1", 2.5), ("2", pytest.approx(1.2))]


def test_a_boost_may_be_boosted():
    rows = [{"id": key, "near": [float(key), 0.0], "like": [float(key), 0.0]} for key in (1, 2)]
    _, found = searcher(rows)
    hits = found.search(SearchPlan("t", RankNode(NEAR, (RankNode(LIKE, (LIKE,)),)))).hits
    assert [(hit.pk, hit.sort_values[0]) for hit in hits] == [("2", pytest.approx(4.2)), ("1", 2.5)]


def test_rows_of_one_sum_of_scores_follow_their_keys():
    rows = [{"id": 1, "near": [1.0, 0.0], "like": [0.5, 0.0]}, {"id": 2, "near": [0.0, 0.0], "like": [0.0, 0.0]}]
    for pair in ((0, 1), (1, 0)):
        _, found = searcher([row | {"id": 1 + place} for place, row in zip(pair, rows, strict=True)])
        hits = found.search(SearchPlan("t", And((NEAR, LIKE)))).hits
        assert [(hit.pk, hit.sort_values[0]) for hit in hits] == [("1", 1.0), ("2", 1.0)]


def test_deep_and_wide_trees_are_answered():
    rows = [{"id": key, "near": [float(key), 0.0], "shop": "s", "size": key} for key in range(5)]
    deep = NEAR
    for level in range(100):
        deep = And((deep, SHOP)) if level % 2 else AndNot(Or((deep, SIZE)), TextTerm("shop", "t"))
    for tree in (deep, Or((NEAR,) * 1024), Or((NEAR, *(SHOP, SIZE) * 511)), And((NEAR, *(SHOP,) * 1023))):
        _, found = searcher(rows)
        assert found.search(SearchPlan("t", tree)).total >= 2


def test_an_unknown_node_or_index_is_refused():
    for tree in ("x", And(()), TextTerm("nope", "x")):
        with pytest.raises(RequestError):
            reduce_tree(tree, SCHEMA)


def test_a_row_without_a_score_has_none_beside_and():
    rows = [{"id": 1, "size": 1, "like": [1.0, 0.0]}, {"id": 2, "near": [1.0, 0.0], "like": [1.0, 0.0]}]
    _, found = searcher(rows)
    plan = SearchPlan("t", And((Or((NEAR, SIZE)), LIKE)), rank=Rank("near"), sort=(SortKey(None, descending=False),))
    assert [(hit.pk, hit.score) for hit in found.search(plan).hits] == [("2", 1.0), ("1", None)]


def test_the_score_is_that_of_the_first_boost_that_found_the_row():
    rows = [{"id": 1, "size": 1, "near": [0.0, 0.0]}, {"id": 2, "size": 1, "near": [100.0, 0.0]}]
    _, found = searcher(rows)
    boosts = [VectorTerm("near", VectorPayload(((at, 0.0),)), n=1) for at in (100.0, *map(float, range(2, 12)))]
    hits = found.search(SearchPlan("t", RankNode(SIZE, tuple(boosts)))).hits
    assert {hit.pk: hit.score for hit in hits} == {"1": 4.0, "2": 0.0}
