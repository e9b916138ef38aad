"""The plan's JSON form: there and back again, and nothing unknown taken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havengate.errors import RequestError
from havengate.plan_json import plan_from_json, plan_to_json
from havengate.types import (
    And,
    AndNot,
    Compare,
    Field,
    In,
    Literal,
    Not,
    Or,
    PicturePayload,
    Rank,
    SearchPlan,
    SortKey,
    StoredIdPayload,
    TextPayload,
    VectorPayload,
    VectorTerm,
)

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
FIELDS = st.builds(Field, NAMES, st.none() | NAMES)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LITERALS = st.builds(Literal, st.text(max_size=5) | st.integers(-(2**63), 2**64) | FLOATS)
COMPARES = st.builds(Compare, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), FIELDS | LITERALS, FIELDS | LITERALS)
INS = st.builds(In, FIELDS, st.lists(LITERALS, min_size=1, max_size=3).map(tuple))


def trees(leaves, *more):
    def branches(children):
        several = st.lists(children, min_size=1, max_size=3).map(tuple)
        return st.builds(And, several) | st.builds(Or, several) | st.one_of(*(make(children) for make in more))

    return st.recursive(leaves, branches, max_leaves=8)


PAYLOADS = (
    st.builds(VectorPayload, st.lists(st.lists(FLOATS, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple))
    | st.builds(TextPayload, st.text(max_size=9))
    | st.builds(PicturePayload, st.text("abc+/=", max_size=9))
    | st.builds(StoredIdPayload, st.text(max_size=5))
)
TERMS = st.builds(
    VectorTerm,
    NAMES,
    PAYLOADS,
    n=st.integers(1, 10_000),
    score_threshold=st.none() | FLOATS,
    search_params=st.dictionaries(NAMES, st.integers() | st.text(max_size=3), max_size=2),
    categories=st.lists(st.text(max_size=3), max_size=2).map(tuple),
)
PLANS = st.builds(
    SearchPlan,
    st.just("t"),
    query=st.none() | trees(TERMS, lambda children: st.builds(AndNot, children, children)),
    filter=st.none() | trees(COMPARES | INS, lambda children: st.builds(Not, children)),
    filter_mode=st.sampled_from(["pre", "post"]),
    rank=st.builds(Rank, st.none() | NAMES),
    sort=st.lists(st.builds(SortKey, st.none() | FIELDS, st.booleans()), min_size=1, max_size=3).map(tuple),
    offset=st.integers(0, 100),
    limit=st.integers(0, 100),
    output_fields=st.none() | st.lists(NAMES, max_size=3).map(tuple),
)


@given(PLANS)
def test_a_plan_survives_its_json(plan):
    body = json.loads(json.dumps(plan_to_json(plan)))
    assert plan_from_json("t", body) == plan


def test_pictures_are_cut_for_people_only():
    plan = SearchPlan("t", VectorTerm("v", PicturePayload("A" * 100)))
    assert plan_to_json(plan)["query"]["vector"]["picture"] == "A" * 100
    assert "(100 characters)" in plan_to_json(plan, whole_pictures=False)["query"]["vector"]["picture"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"version": 2}, "version"),
        ({"nope": 1}, "nope"),
        ({"query": {}}, "query"),
        ({"query": {"vector": {"index": "v"}}}, "query.vector"),
        ({"query": {"vector": {"index": "v", "text": "a", "picture": "b"}}}, "query.vector"),
        ({"query": {"vector": {"index": "v", "text": 1}}}, "query.vector.text"),
        ({"query": {"vector": {"index": "v", "text": "a", "n": "3"}}}, "query.vector.n"),
        ({"query": {"vector": {"index": "v", "text": "a", "n": True}}}, "query.vector.n"),
        ({"query": {"vector": {"index": "v", "vectors": [[1, None]]}}}, "query.vector.vectors.0.1"),
        ({"query": {"and": []}}, "query.and"),
        ({"query": {"vector": None}}, "query"),
        ({"filter": {"or": None}}, "filter"),
        ({"table": "other"}, "table"),
        ({"query": {"andnot": [{"vector": {"index": "v", "text": "a"}}]}}, "query.andnot"),
        ({"filter": {"compare": {"op": "~", "left": 1, "right": 2}}}, "filter.compare.op"),
        ({"filter": {"compare": {"op": "=", "left": {"field": "a"}, "right": True}}}, "filter.compare.right"),
        ({"filter": {"compare": {"op": "="}, "not": {}}}, "filter"),
        ({"filter": {"in": {"field": "a", "values": []}}}, "filter.in.values"),
        ({"sort": []}, "sort"),
        ({"limit": 1.5}, "limit"),
        ({"filter_mode": "late"}, "filter_mode"),
        ({"output_fields": "id"}, "output_fields"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(body, place):
    with pytest.raises(RequestError) as caught:
        plan_from_json("t", body)
    assert caught.value.message.startswith(place)


def test_deep_nesting_is_refused():
    body = {"compare": {"op": "=", "left": {"field": "a"}, "right": 1}}
    for _ in range(5000):
        body = {"not": body}
    with pytest.raises(RequestError, match="deeper"):
        plan_from_json("t", {"filter": body})
