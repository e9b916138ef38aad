"""Query trees: the answer of the gateway beside the meaning of the tree, row by row in plain Python."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_engine import SCHEMA, PlainEngine, has_words

from havengate.errors import RequestError
from havengate.expr import Range
from havengate.query_tree import Rows, leaves, reduce_tree, weights
from havengate.search import Searcher
from havengate.settings import LimitSettings
from havengate.types import (
    And,
    AndNot,
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
NUMBERS = st.integers(-3, 3)
VECTORS = st.tuples(NUMBERS, NUMBERS).map(lambda pair: tuple(map(float, pair)))
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0, 2.0])
WORDS = st.lists(st.sampled_from("xyz"), max_size=3).map(" ".join)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "title": WORDS,
        "body": WORDS,
        "shop": st.sampled_from(["s", "t"]),
        "size": NUMBERS,
        "near": VECTORS.map(list),
        "like": VECTORS.map(list),
    },
)
ROWS = st.lists(ROW, max_size=12).map(lambda rows: [{"id": key, **row} for key, row in enumerate(rows)])
TERMS = st.one_of(
    st.builds(
        VectorTerm,
        st.sampled_from(["near", "like"]),
        st.lists(VECTORS, min_size=1, max_size=2).map(lambda vectors: VectorPayload(tuple(vectors))),
        n=st.integers(1, 6),
    ),
    st.builds(
        TextTerm,
        st.sampled_from(["title", "words"]),
        st.sampled_from(["x", "y z", "x y z"]),
        phrase=st.booleans(),
        weight=WEIGHTS,
    ),
    st.builds(TextTerm, st.just("shop"), st.sampled_from("st"), weight=WEIGHTS),
    st.builds(NumberTerm, st.just("size"), NUMBERS, st.none() | st.just(3), include_low=st.booleans(), weight=WEIGHTS),
).filter(lambda term: not isinstance(term, NumberTerm) or (term.low or 0) < 3)


def _inner(children):
    several = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        several.map(And), several.map(Or), st.builds(AndNot, children, children), st.builds(RankNode, children, several)
    )


TREES = st.recursive(TERMS, _inner, max_leaves=8)


# --- the judge: from the top down, where the gateway works from the bottom up ----------------------


def matches(term, row):
    if isinstance(term, NumberTerm):
        value = row.get("size")
        above = value is not None and (value > term.low or (term.include_low and value == term.low))
        return above and (term.high is None or value <= term.high)
    if term.index == "shop":
        return row.get("shop") == term.text
    texts = [row.get(field, "") for field in SCHEMA.term_indexes[term.index].fields]
    if term.phrase:
        return any(has_words(text, term.text, True) for text in texts)
    return all(any(has_words(text, word, True) for text in texts) for word in term.text.split())


def has_vector(node):
    match node:
        case And(items) | Or(items):
            return any(map(has_vector, items))
        case AndNot(keep, drop):
            return has_vector(keep) or has_vector(drop)
        case RankNode(keep, boosts):
            return has_vector(keep) or any(map(has_vector, boosts))
    return isinstance(node, VectorTerm)


def holds(node, row):
    """Of a tree without vectors."""
    match node:
        case And(items):
            return all(holds(item, row) for item in items)
        case Or(items):
            return any(holds(item, row) for item in items)
        case AndNot(keep, drop):
            return holds(keep, row) and not holds(drop, row)
        case RankNode(keep):
            return holds(keep, row)
    return matches(node, row)


class Judge:
    def __init__(self, rows):
        self.everything = {row["id"]: row for row in rows}

    def answer(self, node, allowed, path=()):  # noqa: PLR0911  one for each kind
        """{id: {(boost, index): score}} of the node's rows among the allowed ones."""
        if not has_vector(node):
            return {key: {} for key in allowed if holds(node, self.everything[key])}
        match node:
            case VectorTerm():
                return self.nearest(node, allowed)
            case And(items):
                narrowed = {
                    key
                    for key in allowed
                    if all(has_vector(item) or holds(item, self.everything[key]) for item in items)
                }
                return self.joined([self.answer(i, narrowed, (*path, n)) for n, i in enumerate(items) if has_vector(i)])
            case Or(items):
                return self.union([self.answer(item, allowed, (*path, n)) for n, item in enumerate(items)])
            case AndNot(keep, drop):
                beside = self.everything if has_vector(drop) else allowed
                dropped = self.answer(drop, beside, (*path, 1))
                if not has_vector(drop):
                    return self.answer(keep, {key for key in allowed if key not in dropped}, (*path, 0))
                kept = self.answer(keep, allowed, (*path, 0))
                return {key: scores for key, scores in kept.items() if key not in dropped}
            case RankNode(keep, boosts):
                found = {key: dict(one) for key, one in self.answer(keep, allowed, (*path, 0)).items()}
                for place, boost in enumerate(boosts, 1):
                    if has_vector(boost):
                        beside = self.everything if has_vector(keep) else set(found)
                        self.add_boost(found, self.answer(boost, beside, (*path, place)), (*path, place))
                return found
        raise AssertionError(node)

    @staticmethod
    def add_boost(found, boosted, path):
        for key in found.keys() & boosted.keys():
            for (boost, index), score in boosted[key].items():
                found[key][boost or path, index] = score

    def nearest(self, term, allowed):
        sign = 1 if term.index == "near" else -1
        scored = []
        for key in allowed:
            row = self.everything[key]
            if term.index in row:
                scored.append((sign * self.best(term, row), key))
        return {key: {((), term.index): sign * loss} for loss, key in sorted(scored)[: term.n]}

    @staticmethod
    def best(term, row):
        pairs = [list(zip(vector, row[term.index], strict=True)) for vector in term.payload.vectors]
        if term.index == "near":
            return min(sum((a - b) ** 2 for a, b in pair) for pair in pairs)
        return max(sum(a * b for a, b in pair) for pair in pairs)

    @staticmethod
    def joined(answers):
        both = set.intersection(*map(set, answers))
        found = {}
        for key in both:
            found[key] = {}
            for answer in answers:
                for name, score in answer[key].items():
                    found[key][name] = found[key].get(name, 0) + score
        return found

    @staticmethod
    def union(answers):
        found = {}
        for answer in answers:
            for key, scores in answer.items():
                kept = found.setdefault(key, {})
                for name, score in scores.items():
                    better = min if name[1] == "near" else max
                    kept[name] = better(kept[name], score) if name in kept else score
        return found

    def rank(self, node, key, scores):
        similarities = [1 / (1 + score) if index == "near" else score for (_, index), score in scores.items()]
        return sum(similarities) + self.gained(node, self.everything[key])

    def gained(self, node, row):
        match node:
            case TextTerm() | NumberTerm():
                return node.weight if matches(node, row) else 0
            case And(items) | Or(items):
                return sum(self.gained(item, row) for item in items)
            case AndNot(keep):
                return self.gained(keep, row)
            case RankNode(keep, boosts):
                return sum(self.gained(part, row) for part in (keep, *boosts))
        return 0


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
    shown = [hit.sort_values[0] for hit in result.hits]
    assert shown == sorted(shown, reverse=True)
    asked = [query.index for query in engine.asked if hasattr(query, "index")]
    assert [certificate.index for certificate in result.certificates] == asked


@settings(deadline=None)
@given(ROWS, st.recursive(TERMS.filter(lambda term: not isinstance(term, VectorTerm)), _inner, max_leaves=5))
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
