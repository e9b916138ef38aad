"""The plan's JSON form: there and back again, and nothing unknown taken."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havengate.errors import RequestError
from havengate.plan_json import plan_from_json, plan_to_json
from havengate.types import (
    Aggregate,
    AggregateFunction,
    And,
    AndNot,
    Arith,
    AtLeast,
    Compare,
    Contains,
    Distinct,
    Exists,
    Field,
    In,
    Literal,
    Match,
    Not,
    NumberTerm,
    Or,
    PicturePayload,
    Range,
    Rank,
    RankNode,
    SearchPlan,
    SortKey,
    StoredIdPayload,
    TextPayload,
    TextTerm,
    Variable,
    VectorPayload,
    VectorTerm,
)

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
FIELDS = st.builds(Field, NAMES, st.none() | NAMES)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.integers(-(2**63), 2**64) | FLOATS
LITERALS = st.builds(Literal, st.text(max_size=5) | NUMBERS)


def several(items, least=1):
    return st.lists(items, min_size=least, max_size=3).map(tuple)


def arithmetic(sides):
    return st.builds(Arith, st.sampled_from(["+", "-", "*", "/", "&", "|", "^"]), sides, sides)


OPERANDS = st.recursive(FIELDS | LITERALS, arithmetic, max_leaves=4)
BYS = FIELDS | arithmetic(OPERANDS)
ENDS = st.none() | st.builds(Literal, NUMBERS)
CONDITIONS = (
    st.builds(Compare, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), OPERANDS, OPERANDS)
    | st.builds(In, FIELDS, several(LITERALS))
    | st.builds(Range, FIELDS, ENDS, ENDS, st.booleans(), st.booleans())
    | st.builds(Contains, FIELDS, LITERALS)
    | st.builds(Exists, FIELDS)
    | st.builds(Match, FIELDS, st.text(max_size=5), st.booleans())
)


def trees(leaves, *more):
    def branches(children):
        items = several(children)
        return st.builds(And, items) | st.builds(Or, items) | st.one_of(*(make(children) for make in more))

    return st.recursive(leaves, branches, max_leaves=8)


PAYLOADS = (
    st.builds(VectorPayload, st.lists(st.lists(FLOATS, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple))
    | st.builds(TextPayload, st.text(max_size=9))
    | st.builds(PicturePayload, st.text("abc+/=", max_size=9), st.booleans())
    | st.builds(StoredIdPayload, st.text(max_size=5))
)
VECTOR_TERMS = st.builds(
    VectorTerm,
    NAMES,
    PAYLOADS,
    n=st.integers(1, 10_000),
    score_threshold=st.none() | FLOATS,
    search_params=st.dictionaries(NAMES, st.integers() | st.text(max_size=3), max_size=2),
    categories=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    weight=FLOATS,
)
TERMS = (
    VECTOR_TERMS
    | st.builds(TextTerm, NAMES, st.text(max_size=5), st.booleans(), FLOATS, several(NAMES, 0), st.booleans())
    | st.builds(NumberTerm, NAMES, st.none() | NUMBERS, st.none() | NUMBERS, st.booleans(), st.booleans(), FLOATS)
)
FILTERS = trees(CONDITIONS, lambda children: st.builds(Not, children))
FUNCTIONS = st.builds(
    AggregateFunction, st.sampled_from(["count", "sum", "max", "min", "distinct_count"]), st.none() | BYS
)
AGGREGATES = st.builds(
    Aggregate, several(BYS), several(FUNCTIONS), several(NUMBERS, 0), st.none() | FILTERS, st.integers(0, 9)
)
DISTINCTS = st.builds(
    Distinct,
    BYS,
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
    st.none() | FILTERS,
    st.booleans(),
    several(FLOATS, 0),
)
PLANS = st.builds(
    SearchPlan,
    st.just("t"),
    query=st.none()
    | trees(
        TERMS,
        lambda children: st.builds(AndNot, children, children),
        lambda children: st.builds(AtLeast, several(children), st.integers(0, 9)),
        lambda children: st.builds(RankNode, children, several(children)),
    ),
    filter=st.none() | FILTERS,
    filter_mode=st.sampled_from(["pre", "post"]),
    rank=st.builds(Rank, st.none() | NAMES),
    sort=several(st.builds(SortKey, st.none() | BYS, st.booleans())),
    distinct=several(DISTINCTS, 0),
    aggregates=several(AGGREGATES, 0),
    offset=st.integers(0, 100),
    limit=st.integers(0, 100),
    output_fields=st.none() | st.lists(NAMES, max_size=3).map(tuple),
    variables=several(st.builds(Variable, NAMES, BYS | FILTERS | LITERALS), 0),
    timeout_s=st.none() | FLOATS,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(PLANS)
def test_a_plan_survives_its_json(plan):
    body = json.loads(json.dumps(plan_to_json(plan)))
    back = plan_from_json("t", body)
    assert back == plan
    # Equality alone takes 1 for 1.0, and arithmetic does not.
    assert json.dumps(plan_to_json(back)) == json.dumps(body)


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
        ({"query": {"vector": {"index": "v", "text": "a", "crop": True}}}, "query.vector"),
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
        ({"query": {"text": {"index": "t"}}}, "query.text.text"),
        ({"query": {"text": {"index": "t", "text": "a", "boost": 1}}}, "query.text.boost"),
        ({"query": {"number": {"index": "n", "low": "3"}}}, "query.number.low"),
        ({"query": {"rank": [{"text": {"index": "t", "text": "a"}}]}}, "query.rank"),
        ({"filter": {"range": {"field": "a", "high": "3"}}}, "filter.range.high"),
        ({"filter": {"exists": {"field": "a", "text": "b"}}}, "filter.exists.text"),
        ({"filter": {"match": {"field": "a"}}}, "filter.match.text"),
        ({"filter": {"contains": {"field": "a", "value": None}}}, "filter.contains.value"),
        (
            {"filter": {"compare": {"op": "=", "left": {"arith": {"op": "+", "left": 1}}, "right": 1}}},
            "filter.compare.left.arith.right: ",
        ),
        ({"filter": {"compare": {"op": "=", "left": [], "right": 1}}}, "filter.compare.left: a text, a number, {"),
        ({"sort": [{"by": {"arith": {"op": "%", "left": 1, "right": 2}}}]}, "sort.0.by.arith.op: "),
        ({"sort": [{"by": 3}]}, "sort.0.by: the name of a field, {"),
        ({"distinct": {"count": 1}}, "distinct.key: "),
        ({"distinct": [{"key": "a"}, {"count": 1}]}, "distinct.1.key: "),
        ({"aggregates": [{"keys": [], "functions": [{"name": "count"}]}]}, "aggregates.0.keys: "),
        ({"aggregates": [{"keys": ["a"], "functions": [{"name": "median"}]}]}, "aggregates.0.functions.0.name: "),
        ({"sort": []}, "sort"),
        ({"limit": 1.5}, "limit"),
        ({"variables": [{"name": "a", "value": None}]}, "variables.0.value: "),
        ({"variables": [{"name": "", "value": 1}]}, "variables.0.name: "),
        ({"timeout_s": "1"}, "timeout_s: "),
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


@pytest.mark.parametrize("constant", [Literal(1), Literal("brand")])
def test_a_constant_is_never_written_where_a_text_names_a_field(constant):
    with pytest.raises(RequestError, match="constant"):
        plan_to_json(SearchPlan("t", sort=(SortKey(constant, descending=True),)))


def test_deep_arithmetic_is_refused():
    body = 1
    for _ in range(5000):
        body = {"arith": {"op": "+", "left": {"field": "a"}, "right": body}}
    with pytest.raises(RequestError, match="deeper"):
        plan_from_json("t", {"sort": [{"by": body}]})
