"""Clauses, config, cluster, kvpairs and sort: what the engine's rules make of them."""

import pytest

from havengate.errors import RequestError
from query_parser.nodes import Name
from query_parser.parse import MAX_ATTRIBUTES, MAX_REMARKS, parse_request
from query_parser.show import show_request
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


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("aggregate", "AGGREGATE_CLAUSE"),
        ("distinct", "DISTINCT_CLAUSE"),
        ("rank", "UNKNOWN_KEY"),
        ("pkfilter", "PKFILTER_CLAUSE"),
        ("virtual_attribute", "VIRTUALATTRIBUTE_CLAUSE"),
        ("fetch_summary", "FETCH_SUMMARY_CLAUSE"),
        ("layer", "LAYER_CLAUSE"),
        ("searcher_cache", "CACHE_CLAUSE"),
        ("optimizer", "OPTIMIZER_CLAUSE"),
        ("level", "LEVEL_CLAUSE"),
        ("analyzer", "INVALID_ANALYZER_GRAMMAR"),
        ("rank_sort", "RANK_SORT_CLAUSE"),
        ("final_sort", "FINAL_SORT_PARSE_FAILED"),
        ("healthcheck", "HEALTHCHECK_CLAUSE"),
        ("aux_query", "AUX_QUERY_CLAUSE"),
        ("aux_filter", "AUX_FILTER_CLAUSE"),
    ],
)
def test_clauses_of_later_versions_are_refused_by_name(name, code):
    found, marked, message = failure(f"query=a&&{name}=x:y")
    assert (found, marked) == (code, f"{name}=x:y")
    assert message == f"this version does not have the clause {name}"


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
        ("format:fb_summary", "UNSUPPORT_RESULT_FORMAT"),
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
    assert [c.text for c in parse_request("config=cluster:a&b&&query=x").clusters] == ["a", "b"]


def test_kvpairs_unescape_and_trim():
    request = parse_request(r"query=a&&kvpairs= a\:b : c\,d\\ ,:, k : v ,__ops_request_id:0af3,")
    texts = {key: value.text for key, value in request.kvpairs.items()}
    assert texts == {"a:b": "c,d\\", "": "", "k": "v", "__ops_request_id": "0af3"}
    assert request.request_id == "0af3"


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
        ("sort=+RANK;-RANK", "SORT_SAME_EXPRESSION", "-RANK"),
        ("sort=a>1", "SORT_EXPRESSION_TYPE_BOOL", "a>1"),
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
