"""HA3 requests from their text to the answer, over both engines, beside plain Python over the same rows."""

import uuid

import ha_judge as judge
import pytest
from ha_judge import ALL, expr_text, query_text
from ha_table import SHOPS, WORDS, Goods
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havengate.setting_groups import EngineSettings
from havengate.settings import Settings

COUNT = 60
assert COUNT < ALL
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
THOROUGH = settings(QUICK, max_examples=1000)


@pytest.fixture(scope="module", params=[("embedded", 1), ("opensearch", 2)], ids=lambda param: param[0])
def goods(request, tmp_path_factory):
    kind, seed = request.param
    engine = EngineSettings()
    if kind == "opensearch":
        url, prefix = request.getfixturevalue("opensearch_url"), f"test-{uuid.uuid4().hex[:12]}-"
        engine = EngineSettings(kind=kind, hosts=url, index_prefix=prefix, timeout_s=60, shards=2)
    table = Goods(Settings(data_dir=tmp_path_factory.mktemp("goods"), engine=engine), seed=seed, count=COUNT)
    yield table
    table.close()


def request_of(**clauses):
    return "&&".join(f"{name}={text}" for name, text in clauses.items() if text)


# --- what requests are made of ---------------------------------------------------------------------

NUMBERS = st.sampled_from(["size", "price", "cost", "id", ("*", "size", 2), ("-", "price", "size"), ("+", "cost", 0.5)])
TEXT_VALUES = st.sampled_from([("text", shop) for shop in SHOPS])
CONDITIONS = st.recursive(
    st.one_of(
        st.tuples(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), NUMBERS, st.sampled_from([0, 1, 2, 0.5])),
        st.tuples(st.sampled_from(["=", "!="]), st.just("shop"), TEXT_VALUES),
        st.tuples(st.sampled_from(["=", "!="]), st.just("labels"), st.sampled_from([("text", "l"), ("text", "m")])),
        st.tuples(st.sampled_from(["=", "<", ">="]), st.just("sizes"), st.sampled_from([0, 1])),
    ),
    lambda children: st.tuples(st.sampled_from(["AND", "OR"]), children, children),
    max_leaves=3,
)
SORTS = st.lists(st.tuples(NUMBERS | st.just("shop"), st.booleans()), min_size=1, max_size=2, unique_by=lambda k: k[0])
POOLS = st.sampled_from(["all_sizes:[-100,100]", "all_sizes:>=0 OR shops:'a'", f"near:'0,0&n={ALL}'", "titles:'x'"])
IN_POOL = {
    "all_sizes:[-100,100]": lambda row: "size" in row,
    "all_sizes:>=0 OR shops:'a'": lambda row: row.get("size", -1) >= 0 or row.get("shop") == "a",
    f"near:'0,0&n={ALL}'": lambda row: "near" in row,
    "titles:'x'": lambda row: "x" in row.get("title", "").split(),
}


def pool_of(goods, query, condition):
    return [row for row in goods.rows if IN_POOL[query](row) and (condition is None or judge.holds(condition, row))]


def sort_text(sort):
    return ";".join(f"{'-' if descending else '+'}{expr_text(expr)}" for expr, descending in sort)


# --- aggregates ------------------------------------------------------------------------------------

KEYS = st.sampled_from(["shop", "size", "price", "cost", "labels", "sizes", ("&", "size", 1), ("*", "price", 2)])
FUNCTIONS = st.one_of(
    st.just(("count", None)),
    st.tuples(st.sampled_from(["sum", "max", "min"]), NUMBERS),
    st.tuples(st.just("distinct_count"), NUMBERS | st.sampled_from(["shop", "labels", "sizes"])),
)
EXTRAS = {"agg_filter": CONDITIONS, "max_group": st.sampled_from([1, 3, 100, -1])}
AGGREGATES = st.fixed_dictionaries(
    {
        "keys": st.lists(KEYS, min_size=1, max_size=3),
        "functions": st.lists(FUNCTIONS, min_size=1, max_size=4, unique=True),
    },
    optional=EXTRAS,
) | st.fixed_dictionaries(
    {
        "keys": st.lists(st.sampled_from(["size", "price", "sizes", ("-", "size", 1)]), min_size=1, max_size=1),
        "functions": st.lists(FUNCTIONS, min_size=1, max_size=2, unique=True),
        "range": st.sampled_from([[0], [-2, 0, 2], [-1, 100], [-0.5, 0.5, 1.25]]),
    },
    optional=EXTRAS,
)


def check_aggregates(goods, query, condition, specs):
    text = request_of(
        query=query,
        filter=condition and expr_text(condition),
        aggregate=";".join(map(judge.aggregate_text, specs)),
        config="start:0,hit:2",
    )
    result = goods.search(text)
    rows = pool_of(goods, query, condition)
    assert result.total == len(rows)
    for found, spec in zip(result.aggregations, specs, strict=True):
        groups, total = judge.aggregate(rows, spec)
        assert [(group.keys, group.values) for group in found.groups] == groups, text
        assert found.total == total


AGGREGATE_CASES = given(POOLS, st.none() | CONDITIONS, st.lists(AGGREGATES, min_size=1, max_size=2))


@QUICK
@AGGREGATE_CASES
def test_aggregates_are_those_of_plain_python(goods, query, condition, specs):
    check_aggregates(goods, query, condition, specs)


@pytest.mark.long
@THOROUGH
@AGGREGATE_CASES
def test_many_aggregates_are_those_of_plain_python(goods, query, condition, specs):
    check_aggregates(goods, query, condition, specs)


# --- distinct --------------------------------------------------------------------------------------

DISTINCTS = st.fixed_dictionaries(
    {"dist_key": st.sampled_from(["shop", "size", ("&", "size", 1), ("+", "size", "id")])},
    optional={
        "dist_count": st.integers(1, 3),
        "dist_times": st.integers(1, 3),
        "reserved": st.booleans(),
        "update_total_hit": st.booleans(),
        "dist_filter": CONDITIONS,
    },
)
GRADES = st.none() | st.sampled_from([[0], [2, -1, 0.5]])
PAGES = st.tuples(st.integers(0, 8), st.integers(1, 70))


def check_distinct(goods, *, query, condition, sort, specs, grade, page):
    start, hit = page
    expr = sort[0][0]
    if grade is not None and expr != "shop":
        specs = [specs[0] | {"grade": grade}, *specs[1:]]
    text = request_of(
        query=query,
        filter=condition and expr_text(condition),
        sort=sort_text(sort),
        distinct=";".join(map(judge.distinct_text, specs)),
        config=f"start:{start},hit:{hit}",
    )
    result = goods.search(text)
    rows = judge.sorted_rows(pool_of(goods, query, condition), sort)
    total = len(rows)
    for spec in specs:
        left = judge.distinct(rows, spec, sort[0])
        total -= len(rows) - len(left) if spec.get("update_total_hit", False) else 0
        rows = left
    assert [int(found.pk) for found in result.hits] == [row["id"] for row in rows[start : start + hit]], text
    assert result.total == total


DISTINCT_CASES = given(
    asked=st.fixed_dictionaries(
        {
            "query": POOLS,
            "condition": st.none() | CONDITIONS,
            "sort": SORTS,
            "specs": st.lists(DISTINCTS, min_size=1, max_size=2),
            "grade": GRADES,
            "page": PAGES,
        }
    )
)


@QUICK
@DISTINCT_CASES
def test_distinct_rounds_are_those_of_plain_python(goods, asked):
    check_distinct(goods, **asked)


@pytest.mark.long
@THOROUGH
@DISTINCT_CASES
def test_many_distinct_rounds_are_those_of_plain_python(goods, asked):
    check_distinct(goods, **asked)


# --- virtual attributes ----------------------------------------------------------------------------


@QUICK
@given(st.lists(NUMBERS | CONDITIONS, min_size=1, max_size=3), SORTS, POOLS, PAGES)
def test_virtual_attributes_are_computed_for_every_hit(goods, values, sort, query, page):
    start, hit = page
    names = [f"v{place}" for place in range(len(values))]
    text = request_of(
        query=query,
        virtual_attribute=";".join(f"{name}:{expr_text(value)}" for name, value in zip(names, values, strict=True)),
        attribute=",".join(names),
        sort=sort_text(sort),
        config=f"start:{start},hit:{hit},timeout:60000",
    )
    found = goods.search(text)
    rows = judge.sorted_rows(pool_of(goods, query, None), sort)[start : start + hit]
    assert {hit.pk: dict(hit.variables) for hit in found.hits} == {
        str(row["id"]): {
            name: computed
            for name, value in zip(names, values, strict=True)
            if (computed := judge.variable(value, row)) is not None
        }
        for row in rows
    }, text


# --- trees of terms, and RANK ----------------------------------------------------------------------

BOOSTS = st.sampled_from([100, 100, 0, 50, 250])
SIDES = st.integers(-2, 2)
VECTOR_TERMS = st.tuples(
    st.just("vector"), st.sampled_from(["near", "like"]), st.tuples(SIDES, SIDES), st.just(ALL), BOOSTS
)
TEXTS = st.sampled_from(WORDS).map(lambda word: f"'{word}'") | st.sampled_from(["'x y'", '"x y"', '"z z"', "'z y x'"])
PLAIN_TERMS = st.one_of(
    st.tuples(st.just("words"), st.just("titles"), st.just(""), TEXTS, BOOSTS),
    st.tuples(
        st.just("words"),
        st.just("words"),
        st.sampled_from(["", "(title,body)", "[title,body]", "(body)", "[title]"]),
        TEXTS,
        BOOSTS,
    ),
    st.tuples(st.just("words"), st.just("shops"), st.just(""), st.sampled_from(["'a'", "'é'", "'红'"]), BOOSTS),
    st.tuples(st.just("size"), st.sampled_from(["2", ">0", "<=1", "[-1,2)", "(,0]", "(-2,)", "[0,3]", "=1"]), BOOSTS),
    st.tuples(st.just("least"), st.permutations(WORDS).map(tuple), st.integers(1, 3)),
)
TREES = st.recursive(
    VECTOR_TERMS | PLAIN_TERMS,
    lambda children: st.one_of(
        st.tuples(st.sampled_from(["AND", "OR"]), children, children),
        st.tuples(st.sampled_from(["AND", "OR"]), children, children, children),
        st.tuples(st.just("ANDNOT"), children, children),
        st.tuples(st.just("RANK"), children, children),
    ),
    max_leaves=7,
)


def assert_ranked(result, ranks, text):
    assert {hit.pk: hit.sort_values[0] for hit in result.hits} == pytest.approx(ranks), text
    assert result.total == len(ranks)
    shown = [hit.sort_values[0] for hit in result.hits]
    assert shown == sorted(shown, reverse=True)


def check_tree(goods, tree, condition):
    text = request_of(
        query=query_text(tree), filter=condition and expr_text(condition), config=f"hit:{ALL}", sort="-RANK;+id"
    )
    result = goods.search(text)
    rows = [row for row in goods.rows if condition is None or judge.holds(condition, row)]
    found = {str(row["id"]): judge.rank(tree, row) for row in rows}
    ranks = {key: rank for key, rank in found.items() if rank is not None}
    assert_ranked(result, ranks, text)


def check_nearest(goods, n, near, beside, condition):
    """Terms of words and numbers beside AND, and the filter, choose the rows among which the n best are found."""
    tree = ("AND", ("vector", "near", near, n, 100), *beside)
    text = request_of(query=query_text(tree), filter=condition and expr_text(condition), config=f"hit:{ALL}")
    found = goods.search(text)
    allowed = [row for row in goods.rows if condition is None or judge.holds(condition, row)]
    rows = [row for row in allowed if judge.match(tree, row) is not None]

    nearest = sorted(rows, key=lambda row: (-judge.similarity("near", near, row["near"]), row["id"]))[:n]
    assert_ranked(found, {str(row["id"]): judge.rank(tree, row) for row in nearest}, text)
    (certificate,) = found.certificates
    assert (certificate.requested, certificate.returned, certificate.matched) == (n, len(nearest), len(rows))


@QUICK
@given(
    st.integers(1, 12), st.tuples(SIDES, SIDES), st.lists(PLAIN_TERMS, min_size=1, max_size=2), st.none() | CONDITIONS
)
def test_the_n_best_are_chosen_among_the_rows_that_match(goods, n, near, beside, condition):
    check_nearest(goods, n, near, beside, condition)


TREE_CASES = given(TREES, st.none() | CONDITIONS)


@QUICK
@TREE_CASES
def test_trees_of_terms_find_and_rank_as_plain_python(goods, tree, condition):
    check_tree(goods, tree, condition)


@pytest.mark.long
@THOROUGH
@TREE_CASES
def test_many_trees_of_terms_find_and_rank_as_plain_python(goods, tree, condition):
    check_tree(goods, tree, condition)


# --- vectors in an answer --------------------------------------------------------------------------


@pytest.mark.parametrize("named", [["near", "like"], ["like", "near"]])
def test_vectors_stand_in_the_order_that_the_attribute_clause_has(goods, named):
    found = goods.search(f"query=near:'0,0&n={ALL}'&&attribute={','.join(named)}&&config=hit:{ALL}")
    both = [list(hit.vectors) for hit in found.hits if len(hit.vectors) > 1]
    assert both
    assert all(names == named for names in both)
