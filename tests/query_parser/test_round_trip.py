"""parse(print(tree)) is the tree, and print is a fixed point."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from query_trees import LAYERS, NAMES, QUERIES

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.expr import parse_expr
from query_parser.judge import judge
from query_parser.parse import parse_clauses, parse_request
from query_parser.query import parse_query
from query_parser.show_expr import expr_text
from query_parser.show_query import query_text
from query_parser.write_query import write_query
from query_parser.write_request import write_request

TOKENS = st.sampled_from(
    [
        *("a", "b", "i:", "(f,g):", "[f]:", "'q w'", '"p"', "12", "-5", "1.5", "猫", "AND", "OR", "ANDNOT", "RANK"),
        *(
            "|",
            "&",
            "||",
            "(",
            ")",
            "[1,5]",
            "(3,",
            ",",
            "]",
            "^2",
            "#c",
            "@l",
            ";",
            ">=3",
            "<-4",
            "=5",
            "'",
            "\\",
            "{",
        ),
    ]
)
QUERY_TEXTS = st.lists(TOKENS, max_size=14).map(" ".join)


def parsed(text):
    remarks = []
    return parse_query(text, Span(0, len(text)), remarks), remarks


@given(LAYERS)
@settings(max_examples=150, deadline=None)
def test_a_tree_that_is_printed_is_parsed_to_itself(layers):
    text = write_query(layers)
    found, remarks = parsed(text)
    assert found == layers
    assert remarks == []
    assert write_query(found) == text
    assert list(map(query_text, found)) == list(map(query_text, layers))


@given(QUERY_TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_text_that_is_parsed_is_printed_to_its_tree(text):
    try:
        layers, _ = parsed(text)
    except RequestError:
        return
    written = write_query(layers)
    assert parsed(written) == (layers, [])
    assert list(map(query_text, parsed(written)[0])) == list(map(query_text, layers))


def operands(inner):
    arithmetic = st.builds("{} {} {}".format, inner, st.sampled_from("+-*/&|^"), inner)
    calls = st.builds("{}({})".format, NAMES, st.lists(inner, max_size=3).map(",".join))
    return arithmetic | calls | inner.map("({})".format)


def conditions(inner):
    joined = st.builds("{} {} {}".format, inner, st.sampled_from(["AND", "OR"]), inner)
    return joined | inner.map("({})".format)


STRINGS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
ATOMS = st.one_of(
    NAMES,
    st.sampled_from(
        ["1", "-2", "0x1F", "1.5", "-0.25", "a.b", "max", "count", "9223372036854775807", "18446744073709551616"]
    ),
    STRINGS.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    STRINGS.map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
)
VALUES = st.recursive(ATOMS, operands, max_leaves=5)
RELATIONS = st.builds("{} {} {}".format, VALUES, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), VALUES)
CONDITIONS = st.recursive(RELATIONS, conditions, max_leaves=5)


def expression(text):
    return parse_expr(text, Span(0, len(text)), HaCode.FILTER_CLAUSE, [])


@given(VALUES | CONDITIONS)
@settings(max_examples=200, deadline=None)
def test_an_expressions_canonical_text_is_parsed_to_the_same_tree(text):
    tree = expression(text)
    written = expr_text(tree)
    assert expression(written) == tree
    assert expr_text(expression(written)) == written


MAY_BE_EMPTY = ("config", "rank", "kvpairs", "optimizer", "level", "analyzer", "attribute", "pkfilter", "filter")
CLAUSES = {
    "config": ["start:3,hit:5", "default_operator:OR,format:json", "kvpairs:a#b;c#d", "cluster:x&y", "trace:INFO"],
    "cluster": ["general", "a,b:part_ids=0|1"],
    "sort": ["+RANK;-id", "price*2;name", "-(a+b)"],
    "distinct": ["dist_key:a,dist_count:2", "none_dist;dist_key:a+b,dist_filter:c>1,grade:1.5|3"],
    "aggregate": ["group_key:a,agg_fun:count()#max(b)", "group_key:[a,b],agg_fun:sum(c+d),range:1~-4,max_group:3"],
    "rank": ["rank_profile:x,fieldboost:i.f(3);j.g(4),rank_hint:+a"],
    "healthcheck": ["check:true,check_times:3"],
    "attribute": ["a,b,c"],
    "virtual_attribute": ["v:a+b;w:f(c)"],
    "kvpairs": ["formula:proxima_score(v)", r"a\:b:c\,d\\,e:f", "k:1,k:2,"],
    "layer": ["range:cat{1,[10,20]}*x{[5,]},quota:1000;range:%other", "quota:UNLIMITED#2"],
    "searcher_cache": ["use:yes,key:3,cache_filter:a>1,expire_time:f(b),cache_doc_num_limit:2;3"],
    "rank_sort": ["sort:RANK#-a,percent:40;sort:b,percent:60"],
    "final_sort": ["sort_name:x;sort_param:a#b,c#d"],
    "level": ["level_clusters:a&b;c,level_type:good,min_docs:5"],
    "analyzer": ["global_analyzer:x,specific_index_analyzer:i#a;j#b,no_tokenize_indexes:k;l"],
    "optimizer": ["name:a,option:b"],
    "aux_filter": ["a>1"],
    "pkfilter": ["abc"],
    "fetch_summary": ["c_1_2_3_4"],
}
# Empty ones have a meaning of their own: an empty pkfilter is refused by a search, no pkfilter is none.
CLAUSES = {name: [*texts, *([""] if name in MAY_BE_EMPTY else [])] for name, texts in CLAUSES.items()}
CHOSEN = st.fixed_dictionaries({}, optional={name: st.sampled_from(texts) for name, texts in CLAUSES.items()})


@given(CHOSEN, QUERIES, st.none() | CONDITIONS)
@settings(max_examples=100, deadline=None)
def test_a_request_that_is_printed_says_the_same(clauses, query, condition):
    text = "&&".join(f"{name}={value}" for name, value in clauses.items())
    request = replace(parse_request(text + "&&query=x"), layers=(query,))
    if condition is not None:
        request = replace(request, filter=expression(condition))
    written = write_request(request)
    found = parse_request(written)
    assert said(found) == said(request)
    assert write_request(found) == written


def test_keys_to_fetch_keep_their_order():
    request = parse_request("config=fetch_summary_type:rawpk&&fetch_summary=a:1;b:2,x\\,y;a:3,4")
    assert said(parse_request(write_request(request))) == said(request)


@given(st.floats(-1e200, 1e200).filter(lambda value: abs(value) > 1e-200) | st.integers(-(2**63), 2**63))
def test_a_number_of_a_clause_is_written_as_one_that_is_parsed(value):
    def grades(text):
        return parse_clauses({"distinct": text}).distinct[0].grades

    source = f"dist_key:a,grade:{Decimal(repr(value)):f}"
    written = judge("distinct", source).tree
    assert grades(source) == grades(written) == (float(value),)
    assert judge("distinct", written).tree == written


def said(request):
    return replace(request, text="", remarks=())


def test_a_sign_at_the_end_of_a_clause_is_no_part_of_the_cut_behind_it():
    text = "rank=rank_hint:+a& && kvpairs=k:v& && query=x && level=second_level_cluster:b&"
    written = write_request(parse_request(text))
    assert written == "query='x'&&rank=rank_hint:+a& &&kvpairs=k:v& &&level=second_level_cluster:b&"
    assert write_request(parse_request(written)) == written
    assert judge("request", judge("request", text).tree.replace("{default:'x'}", "x")) == judge("request", text)
