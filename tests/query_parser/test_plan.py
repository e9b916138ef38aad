"""From request to plan: names resolved, filters and sorts, output fields, rank, limits."""

import pytest
from demo_table import Table, plan, schema

from havengate.types import (
    And,
    AndNot,
    Compare,
    Field,
    In,
    Literal,
    Or,
    Rank,
    SearchPlan,
    SortKey,
    TextPayload,
    VectorTerm,
)
from schemas.settings import TableSettings
from schemas.table import TableSchema

WORDS = "query=vector:'helmet&modal=text'"


def shape(node):
    match node:
        case VectorTerm():
            return node.payload.text
        case And():
            return ["AND", *map(shape, node.items)]
        case Or():
            return ["OR", *map(shape, node.items)]
        case AndNot():
            return ["ANDNOT", shape(node.keep), shape(node.drop)]


def words(query):
    return " ".join(f"vector:'{w}&modal=text'" if w.islower() else w for w in query.split())


def bare(expr):
    """Without spans."""
    match expr:
        case Compare():
            return (expr.op, bare(expr.left), bare(expr.right))
        case And() | Or():
            return (type(expr).__name__, *map(bare, expr.items))
        case In():
            return ("in", bare(expr.field), *map(bare, expr.values))
        case Field():
            return expr.name if expr.path is None else f"{expr.name}.{expr.path}"
        case Literal():
            return [expr.value]


def test_a_whole_request():
    found = plan(
        "query=image_index:'motorcycle helmet&modal=text&n=10&search_params={}'&&cluster=general"
        "&&config=start:2,hit:5,format:json,qrs_chain:search&&filter=cate_id=1"
        "&&kvpairs=__ops_request_id:0af3,formula:proxima_score(vector)&&sort=+RANK;-id"
    )
    assert isinstance(found, SearchPlan)
    assert (found.table, found.offset, found.limit, found.filter_mode, found.warnings) == ("demo", 2, 5, "pre", ())
    assert found.query.index == "vector"
    assert found.query.payload == TextPayload("motorcycle helmet")
    assert found.query.n == 10
    assert bare(found.filter) == ("=", "cate_id", [1])
    assert found.rank.proxima_index == "vector"
    assert [(key.by and key.by.name, key.descending) for key in found.sort] == [(None, False), ("id", True)]
    assert found.output_fields is None


def test_defaults():
    found = plan(WORDS)
    assert found.sort == (SortKey(None, descending=True),)
    assert found.rank == Rank()
    assert (found.offset, found.limit, found.filter, found.query.n) == (0, 10, None, 100)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a AND b OR c", ["OR", ["AND", "a", "b"], "c"]),
        ("a OR b AND c ANDNOT d", ["OR", "a", ["AND", "b", ["ANDNOT", "c", "d"]]]),
        ("( a OR b ) AND c", ["AND", ["OR", "a", "b"], "c"]),
        ("a ANDNOT b ANDNOT c", ["ANDNOT", "a", ["OR", "b", "c"]]),
        ("a b", ["AND", "a", "b"]),
        ("( ( a ) )", "a"),
    ],
)
def test_the_query_tree_keeps_the_precedence(query, expected):
    assert shape(plan(f"query={words(query)}").query) == expected


def test_juxtaposition_takes_the_default_operator():
    assert shape(plan(f"query={words('a b AND c')}&&config=default_operator:OR").query) == [
        "OR",
        "a",
        ["AND", "b", "c"],
    ]


def test_the_default_index_is_configs():
    assert plan("query='a&modal=text'&&config=default_index:vector").query.index == "vector"


def test_an_alias_means_the_only_vector_index():
    assert plan("query=image_index:'a&modal=text'").query.index == "vector"


def test_an_alias_needs_a_table_with_one_index(error_of):
    one = schema()
    two = TableSchema(one.fields, "id", {"vector": one.vector_indexes["vector"], "b": one.vector_indexes["vector"]})
    assert error_of("query=image_index:'a&modal=text'", Table(schema=two))[0] == "INDEX_NOT_EXIST"


def test_a_request_without_query_is_refused(error_of):
    assert error_of("config=hit:1&&cluster=demo")[0] == "NO_QUERY_CLAUSE"


def test_clusters():
    other = Table("other")
    assert plan(f"{WORDS}&&cluster=other", Table(), other).table == "other"
    assert plan(f"{WORDS}&&cluster=general,demo", Table(), other).table == "demo"
    assert plan(f"{WORDS}&&config=cluster:other", Table(), other).table == "other"


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("cluster=nosuch", "CLUSTER_NAME_NOT_EXIST"),
        ("cluster=demo,nosuch", "CLUSTER_NAME_NOT_EXIST"),
        ("config=cluster:nosuch&&cluster=nosuch", "CLUSTER_NAME_NOT_EXIST"),
        ("config=cluster:nosuch", "CLUSTER_NAME_NOT_EXIST"),
        ("config=cluster:demo&nosuch", "CLUSTER_NAME_NOT_EXIST"),
    ],
)
def test_unknown_clusters(error_of, clause, code):
    assert error_of(f"{WORDS}&&{clause}")[::2] == (code, "nosuch")


def test_two_tables_in_one_search_are_refused(error_of):
    code, _, marked = error_of(f"{WORDS}&&cluster=demo,other", Table(), Table("other"))
    assert (code, marked) == ("MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE", "other")


@pytest.mark.parametrize("cluster", ["", "&&cluster=demo"])
@pytest.mark.parametrize("key", ["second_level_cluster", "level_clusters"])
def test_clusters_of_the_level_clause_are_tables_of_the_search(error_of, cluster, key):
    def level(name):
        return f"{WORDS}{cluster}&&level={key}:{name}"

    tables = Table(), Table("other")
    assert plan(level("demo"), *tables).table == "demo"
    assert plan(f"{level('nosuch')},uselevel:no", *tables).table == "demo"
    assert error_of(level("nosuch"), *tables)[0] == "CLUSTER_NAME_NOT_EXIST"
    code, _, marked = error_of(level("other"), *tables)
    assert (code, marked) == ("MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE", f"{key}:other")


def test_start_and_hit_have_a_window(error_of):
    assert plan(f"{WORDS}&&config=start:4990,hit:10").offset == 4990
    assert error_of(f"{WORDS}&&config=start:4999,hit:10")[::2] == ("OVER_RETURN_HITS_LIMIT", "10")
    assert error_of(f"{WORDS}&&config=start:5001,hit:0")[::2] == ("OVER_RETURN_HITS_LIMIT", "5001")
    assert error_of(f"{WORDS}&&config=start:4999")[::2] == ("OVER_RETURN_HITS_LIMIT", "4999")
    assert error_of(WORDS, window=9)[0] == "OVER_RETURN_HITS_LIMIT"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id=1", ("=", "id", [1])),
        ("id>=0x1F", (">=", "id", [31])),
        ("id<-2", ("<", "id", [-2])),
        ("id!=-0.5", ("!=", "id", [-0.5])),
        ("title='it\\'s'", ("=", "title", ["it's"])),
        ('title="a"', ("=", "title", ["a"])),
        ('tags.color="red"', ("=", "tags.color", ["red"])),
        ("3>id", (">", [3], "id")),
        ('in(cate_id,"1| 2|3")', ("in", "cate_id", ["1"], ["2"], ["3"])),
        ("id=1 AND cate_id=2 OR id=3", ("Or", ("And", ("=", "id", [1]), ("=", "cate_id", [2])), ("=", "id", [3]))),
        ("id=1 AND cate_id=2 AND id=3", ("And", ("=", "id", [1]), ("=", "cate_id", [2]), ("=", "id", [3]))),
        ('(id=1 OR in(id,"2")) AND id=3', ("And", ("Or", ("=", "id", [1]), ("in", "id", ["2"])), ("=", "id", [3]))),
    ],
)
def test_filters(text, expected):
    assert bare(plan(f"{WORDS}&&filter={text}").filter) == expected


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ("id=1 AND", "FILTER_CLAUSE", ""),
        ("id=1 AND id", "FILTER_CLAUSE", "id"),
        ("id == 1", "FILTER_CLAUSE", "="),
    ],
)
def test_filters_that_are_no_expressions(error_of, text, code, marked):
    assert error_of(f"{WORDS}&&filter={text}")[::2] == (code, marked)


def test_an_empty_filter_is_none():
    assert plan(f"{WORDS}&&filter=").filter is None


def test_attributes_add_to_the_fields_that_always_come():
    usual = ("id", "cate_id", "title", "tags")
    assert plan(f"{WORDS}&&attribute=").output_fields is None
    assert plan(f"{WORDS}&&attribute=title,id").output_fields == usual
    assert plan(f"{WORDS}&&attribute=picture_vector, picture").output_fields == (*usual, "picture_vector", "picture")


def test_an_unknown_attribute_is_refused(error_of):
    assert error_of(f"{WORDS}&&attribute=id,nosuch")[::2] == ("ATTRIBUTE_NOT_EXIST", "nosuch")


@pytest.mark.parametrize("pair", ["formula:proxima_score(image_index)", 'first_formula:proxima_score("vector")'])
def test_the_formula_makes_rank_a_distance(pair):
    assert plan(f"{WORDS}&&kvpairs={pair}").rank.proxima_index == "vector"


def test_formula_is_asked_before_first_formula():
    both = "first_formula:nosuch(vector),formula:proxima_score(vector)"
    assert plan(f"{WORDS}&&kvpairs={both}").rank.proxima_index == "vector"


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        ("formula:nosuch(vector)", "FUNCTION_NOT_DEFINED"),
        ("formula:price*2", "FUNCTION_NOT_DEFINED"),
        ("formula:proxima_score()", "FUNCTION_ARGCOUNT"),
        ("formula:proxima_score(nosuch)", "INDEX_NOT_EXIST"),
        ("formula:proxima_score(", "PARSE_SYNTAX"),
        ("filter_mode:sometimes", "PARSE_KVPAIR_CLAUSE"),
    ],
)
def test_kvpairs_that_are_refused(error_of, pair, code):
    assert error_of(f"{WORDS}&&kvpairs={pair}")[::2] == (code, pair.partition(":")[2])


def test_filter_mode():
    assert plan(f"{WORDS}&&kvpairs=filter_mode:post,anything:else").filter_mode == "post"
    assert plan(f"{WORDS}&&kvpairs=filter_mode:pre").filter_mode == "pre"


def test_strict_tables_make_warnings_errors(error_of):
    text = f"{WORDS}&&config=nosuch:1"
    assert plan(text).warnings == ("config has no key 'nosuch': ignored",)
    code, message, marked = error_of(text, Table(settings=TableSettings(strict=True)))
    assert (code, marked) == ("KEY_VALUE_PAIR", "nosuch")
    assert "strict" in message


def test_a_strict_table_takes_what_the_engine_takes(error_of):
    strict = Table(settings=TableSettings(strict=True))
    assert plan(f"{WORDS}&&config=rank_size:30", strict).warnings == ()
    assert error_of(f"{WORDS}&&config=rank_size:30,nosuch:1", strict)[::2] == ("KEY_VALUE_PAIR", "nosuch")
    assert "part_ids" in plan(f"{WORDS}&&cluster=demo:part_ids=0", strict).warnings[0]


@pytest.mark.parametrize(
    ("given", "expected"), [("hit:1", None), ("timeout:1500", 1.5), ("timeout:0", None), ("timeout:1", 0.001)]
)
def test_the_timeout_is_in_seconds(given, expected):
    assert plan(f"{WORDS}&&config={given}").timeout_s == expected
