"""Clauses, config, cluster, kvpairs and sort: what the engine's rules make of them."""

import pytest

from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import MAX_PIECES
from query_parser.judge import judge
from query_parser.nodes import Name
from query_parser.parse import MAX_ATTRIBUTES, MAX_REMARKS, parse_clauses, parse_request
from query_parser.show import show_request
from query_parser.show_expr import expr_text
from query_parser.sort import MAX_KEYS


def failure(text):
    with pytest.raises(RequestError) as caught:
        parse_request(text)
    error = caught.value
    return error.code.name, text[error.span.start : error.span.end], error.message


def test_clauses_may_come_in_any_order_and_the_last_of_a_name_wins():
    request = parse_request(" config = hit:1 && query=a && && config= hit:2 ")
    assert request.config.hit == 2
    assert request.config.start == 0


def test_splitting_is_blind_to_quotes():
    assert failure("query=a:'x && filter=1")[0] != "UNKNOWN_CLAUSE"
    assert failure("query=a:'x && y=1'")[:2] == ("UNKNOWN_CLAUSE", "y")


def test_a_query_box_string_gets_a_hint():
    code, marked, message = failure("vector:'5pGp5omY6L2mJuWktOeblA==&modal=text&n=10'&&sort=+RANK")
    assert code == "UNKNOWN_CLAUSE"
    assert marked == "vector:'5pGp5omY6L2mJuWktOeblA"
    assert "put query= in front" in message


def test_a_query_box_string_without_equals_gets_the_hint_too():
    code, _, message = failure("vector:'0.1,0.2'")
    assert code == "KEY_VALUE_PAIR"
    assert "put query= in front" in message


def test_a_clause_given_twice_is_warned_of():
    request = parse_request("filter=(&&query=a&&filter=b=1")
    assert request.warnings == ("the clause filter is given more than once: the last one counts",)
    assert judge("filter", "b=1").tree == expr_text(request.filter)


def test_clauses_from_texts_of_their_own():
    request = parse_clauses({"query": "a:'x'", "filter": "  b = 1 ", "config": "hit:3", "sort": "c"})
    assert request.config.hit == 3
    assert expr_text(request.filter) == "(b=1)"
    assert request.filter.span == Span(2, 7)
    assert request.text == "a:'x'"
    assert [item.span for item in request.sort] == [Span(0, 1)]


def test_a_text_of_its_own_is_marked_in_the_clause():
    with pytest.raises(RequestError) as caught:
        parse_clauses({"query": "a", "aggregate": "group_key:a,agg_fun:avg(b)"})
    assert (caught.value.code.name, caught.value.span) == ("AGGREGATE_CLAUSE", Span(20, 23))
    with pytest.raises(RequestError) as caught:
        parse_clauses({"nosuch": "a"})
    assert caught.value.code.name == "UNKNOWN_CLAUSE"


def test_nodes_of_every_clause():
    request = parse_request(
        "query=a&&distinct=dist_key:k,grade:2|1;none_dist&&aggregate=group_key:[a,b],agg_fun:sum(c),range:1~2.5"
        "&&virtual_attribute=v:a+1&&layer=range:x{1,[,2]},quota:5#1&&pkfilter=7&&final_sort=sort_name:s;sort_param:p#q"
        "&&rank_sort=sort:+a#RANK,percent:5&&level=uselevel:no&&analyzer=specific_index_analyzer:i#x"
        "&&healthcheck=check:true,check_times:2&&optimizer=name:n,option:o&&rank=fieldboost:i.f(3)"
        "&&searcher_cache=use:yes,expire_time:e&&aux_query=b&&aux_filter=c=1"
    )
    first, none = request.distinct
    assert (first.key.name, first.grades, none) == ("k", (1.0, 2.0), None)
    (group,) = request.aggregates
    assert ([key.name for key in group.keys], group.calls[0].name, group.ranges) == (["a", "b"], "sum", (1, 2.5))
    assert request.virtual_attributes[0].name == "v"
    (layer,) = request.query_layers
    assert (layer.quota, layer.quota_type, layer.ranges[0].ranges) == (5, 1, ((None, "2"),))
    assert request.pkfilter.text == "7"
    assert request.final_sort.params == {"p": "q"}
    assert [item.descending for item in request.rank_sort[0].items] == [False, True]
    assert not request.level.use
    assert request.analyzer.by_index == {"i": "x"}
    assert (request.health_check.check, request.health_check.check_times) == (True, 2)
    assert (request.optimizer.names, request.optimizer.options) == (("n",), ("o",))
    assert request.rank.field_boosts == (("i", "f", 3),)
    assert request.searcher_cache.use
    assert expr_text(request.auxiliary.filter) == "(c=1)"


def test_blanks_alone_in_double_quotes_are_dropped_and_named():
    judged = judge("filter", r'a="b\"  "')
    assert judged.tree == r'(a="b\"")'
    assert judged.warnings == ("blanks alone in double quotes were dropped",)


@pytest.mark.parametrize("text", ["a=' '", """a='" "'""", r"a='\\ '"])
def test_single_quotes_keep_their_blanks(text):
    judged = judge("filter", text)
    assert judged.tree == f"({text})"
    assert judged.warnings == ()


@pytest.mark.parametrize(("text", "wrong"), [("a=--1", "-"), ("-bc", "bc"), ("f(-)", ")"), ("a*-(1)", "("), ("a-", "")])
def test_a_minus_before_no_number_marks_what_follows_it(text, wrong):
    code, marked, _ = failure(f"query=a&&filter={text}")
    assert code == "FILTER_CLAUSE"
    assert marked == wrong


def test_as_many_raw_keys_as_parts_of_a_clause():
    head = "config=fetch_summary_type:rawpk&&fetch_summary="
    assert len(parse_request(head + "a:b;" * MAX_PIECES).fetch_summary.keys) == MAX_PIECES
    for keys in ("a:b;" * (MAX_PIECES + 1), "a:" + "b," * (MAX_PIECES + 1), "a:" + "b," * MAX_PIECES + ";a:b"):
        assert failure(head + keys)[0] == "FETCH_SUMMARY_CLAUSE"


@pytest.mark.parametrize(
    ("by", "text", "keys"),
    [
        ("docid", "c|1|2|3|4|ff|5, d_1_2_3_4", [("c", "c|1|2|3|4|ff|5"), ("d", "d_1_2_3_4")]),
        ("pk", "c|1|2|3|4|ff|5", [("c", "c|1|2|3|4|ff|5")]),
        ("rawpk", r"a : 1, 2\,3,;b\:c:\;,", [("a", "1"), ("a", "2,3"), ("b:c", ";")]),
    ],
)
def test_fetch_summary_by(by, text, keys):
    request = parse_request(f"config=fetch_summary_type:{by}&&fetch_summary={text}&&query=a")
    assert request.fetch_summary.by == by
    assert [(cluster, key.text) for cluster, key in request.fetch_summary.keys] == keys


@pytest.mark.parametrize("text", ["a", "a:", "a:,", "a:1,,2", ":1", "a:1:2", "a,b:1", "a:1;;b:2", ";a:1", "a:1\\", ""])
def test_fetch_summary_by_raw_keys_refuses(text):
    assert failure(f"config=fetch_summary_type:rawpk&&fetch_summary={text}")[0] == "FETCH_SUMMARY_CLAUSE"


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        ("start:-1", "CONFIG_CLAUSE_START_VALUE"),
        ("hit:ten", "CONFIG_CLAUSE_HIT_VALUE"),
        ("rank_size:x", "CONFIG_CLAUSE_RANKSIZE"),
        ("total_rank_size:x", "CONFIG_CLAUSE_TOTALRANKSIZE"),
        ("rerank_size:x", "CONFIG_CLAUSE_RERANKSIZE"),
        ("total_rerank_size:x", "CONFIG_CLAUSE_TOTALRERANKSIZE"),
        ("timeout:1s", "CONFIG_CLAUSE_TIMEOUT"),
        ("seek_timeout:1s", "CONFIG_CLAUSE_TIMEOUT"),
        ("research_threshold:x", "CONFIG_CLAUSE_RESEARCH_THRESHOLD"),
        ("fetch_summary_type:x", "CONFIG_CLAUSE_FETCH_SUMMARY_TYPE"),
        ("proto_format_option:x", "CONFIG_CLAUSE_PROTO_FORMAT_OPTION"),
        ("join_type:x", "CONFIG_CLAUSE_JOIN_TYPE"),
        ("sub_doc:x", "CONFIG_CLAUSE_SUB_DOC_DISPLAY_TYPE"),
        ("version:x", "CONFIG_CLAUSE_VERSION"),
        ("format:csv", "UNSUPPORT_RESULT_FORMAT"),
        ("kvpairs:a", "KEY_VALUE_PAIR"),
    ],
)
def test_each_config_key_has_its_own_code_and_the_value_is_marked(pair, code):
    found, marked, message = failure(f"config={pair}&&query=a")
    assert (found, marked) == (code, pair.partition(":")[2])
    assert pair.partition(":")[0] in message


def test_config_defaults_and_values():
    assert parse_request("query=a").config.format is None
    config = parse_request("config=start:5,hit:7,format:json,default_operator:OR,qrs_chain:search").config
    assert (config.start, config.hit, config.format) == (5, 7, "json")
    assert (config.default_operator, config.default_index) == ("OR", "default")


def test_unknown_config_keys_are_read_past_with_a_warning():
    request = parse_request("config=hit:1,nosuch:1&&query=a")
    assert request.warnings == ("config has no key 'nosuch': ignored",)


def test_known_config_keys_are_silent_here():
    request = parse_request("config=timeout:30,hit:1,rank_size:9,use_cache:no,qrs_chain:search&&query=a")
    assert request.warnings == ()


def test_warnings_have_an_end():
    request = parse_request("config=" + ",".join(f"k{i}:1" for i in range(1000)))
    assert len(request.warnings) == MAX_REMARKS


@pytest.mark.parametrize("text", ["&&" * 100_000, "config=" + "a:b," * 100_000])
def test_parts_have_an_end(text):
    assert failure(f"{text}&&query=a")[0] == "KEY_VALUE_PAIR"


def test_kvpairs_have_an_end():
    many = "k:v," * 100_000
    assert failure(f"query=a&&kvpairs={many}")[0] == "PARSE_KVPAIR_CLAUSE"


def test_the_cluster_clause_wins_over_config():
    request = parse_request("config=cluster:a&b&&query=x&&cluster=c,d:part_ids=0|1,c")
    assert [cluster.text for cluster in request.clusters] == ["c", "d"]
    assert "part_ids has no effect" in request.warnings[0]
    assert request.remarks[0].engine_takes
    assert [c.text for c in parse_request("config=cluster:a&b&&query=x").clusters] == ["a", "b"]


def test_kvpairs_unescape_and_trim():
    request = parse_request(r"query=a&&kvpairs= a\:b : c\,d\\ ,:, k : v ,__ops_request_id:0af3,")
    texts = {key: value.text for key, value in request.kvpairs.items()}
    assert texts == {"a:b": "c,d\\", "": "", "k": "v", "__ops_request_id": "0af3"}
    assert request.request_id == "0af3"


@pytest.mark.parametrize(
    ("value", "found"), [("yes", True), ("T", True), ("1", True), ("NO", False), ("0", False), ("maybe", None)]
)
def test_flags_are_read_as_the_engine_reads_them(value, found):
    config = parse_request(f"config=no_summary:{value}").config
    for default in (True, False):
        assert config.flag("no_summary", default=default) is (default if found is None else found)
        assert config.flag("dedup", default=default) is default


def test_config_keys_that_are_given_twice_add_up():
    request = parse_request("config=cluster:a&b,cluster:b&c,kvpairs:k#1,kvpairs:l#2,hit:1,hit:2")
    assert [cluster.text for cluster in request.clusters] == ["a", "b", "c"]
    assert {key: value.text for key, value in request.kvpairs.items()} == {"k": "1", "l": "2"}
    assert request.config.hit == 2


def test_config_kvpairs_come_first():
    request = parse_request("config=kvpairs:a#1;b#2&&query=x&&kvpairs=b:3")
    assert {key: value.text for key, value in request.kvpairs.items()} == {"a": "1", "b": "3"}


def test_sort_is_descending_unless_a_plus_stands_in_front():
    items = parse_request("query=a&&sort=+RANK;-id; price ;+tags.size").sort
    assert [item.descending for item in items] == [False, True, True, False]
    assert items[0].expr is None
    assert isinstance(items[3].expr, Name)
    assert (items[3].expr.name, items[3].expr.path) == ("tags", "size")


@pytest.mark.parametrize(
    ("clause", "code", "marked"),
    [
        ("sort=", "SORT_NO_DESCRIPTION", ""),
        ("sort=;", "SORT_NO_DESCRIPTION", ";"),
        ("sort=a+", "SORT_CLAUSE", ""),
        ("sort=RANK+1", "SORT_CLAUSE", "RANK"),
    ],
)
def test_sort_errors(clause, code, marked):
    assert failure(f"query=a&&{clause}")[:2] == (code, marked)


def test_sort_keys_have_an_end():
    keys = [f"a{i}" for i in range(MAX_KEYS)]
    assert len(parse_request(f"query=a&&sort={';'.join(keys)}").sort) == MAX_KEYS
    code, marked, message = failure(f"query=a&&sort={';'.join(keys)};-b;c")
    assert (code, marked, message) == ("SORT_CLAUSE", "-b", f"more than {MAX_KEYS} sort keys")


def test_attributes_named_again_count_once():
    request = parse_request(f"query=a&&attribute={'id, title,' * 20_000}")
    assert [name.text for name in request.attributes] == ["id", "title"]


def test_attributes_have_an_end():
    names = [f"a{i}" for i in range(MAX_ATTRIBUTES)]
    assert len(parse_request(f"query=a&&attribute={','.join(names)}").attributes) == MAX_ATTRIBUTES
    code, marked, message = failure(f"query=a&&attribute={','.join(names)},b,c")
    assert (code, marked, message) == ("KEY_VALUE_PAIR", "b", f"more than {MAX_ATTRIBUTES} attributes")


def test_show_is_json_of_what_was_understood():
    text = (
        "query=vector:'a' b&&cluster=t&&config=hit:3,default_operator:OR&&filter=a=1 AND b<2&&sort=-RANK&&attribute=id"
    )
    assert show_request(parse_request(text)) == {
        "cluster": ["t"],
        "config": {"hit": 3, "default_operator": "OR"},
        "query": "(OR {vector:'a'} {default:'b'})",
        "filter": "((a=1) AND (b<2))",
        "sort": ["-RANK"],
        "attribute": ["id"],
    }


def test_show_cuts_long_terms():
    shown = show_request(parse_request(f"query=vector:'{'A' * 100_000}'"))
    assert shown["query"].endswith("AAA… (100000 characters)'}")
    assert len(shown["query"]) < 300
