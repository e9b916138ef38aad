"""What has no effect here is accepted, judged as the engine judges it, and noted for the trace."""

import pytest
from demo_table import Table, plan
from shop_table import SHOP, shop_plan

from schemas.settings import TableSettings


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("config=rank_size:10", "config rank_size has no effect here: every row"),
        ("config=seek_timeout:10", "config seek_timeout has no effect here: "),
        ("config=sub_doc:group", "config sub_doc has no effect here: rows have no sub-documents"),
        ("config=qrs_chain:search", "config qrs_chain has no effect here: "),
        ("config=analyzer:x", "config analyzer has no effect here: words"),
        ("rank=rank_profile:x", "rank has no effect here: "),
        ("layer=range:stock{1,[5,9]},quota:5", "layer has no effect here: every row is searched"),
        ("searcher_cache=use:yes,key:1", "searcher_cache has no effect here: nothing is cached"),
        ("optimizer=name:x,option:y", "optimizer has no effect here"),
        ("level=uselevel:no", "level has no effect here: "),
        ("analyzer=global_analyzer:x", "analyzer has no effect here: "),
        ("healthcheck=check:true", "healthcheck has no effect here"),
    ],
)
def test_what_has_no_effect_is_noted(text, begins):
    found = shop_plan(text)
    assert len(found.notes) == 1
    assert found.notes[0].startswith(begins)
    assert found.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "config=start:1,hit:2,format:json,default_index:words,default_operator:OR,trace:INFO,timeout:500,no_summary:yes",
        "config=cluster:shop,kvpairs:a#b",
        "filter=stock>1&&sort=price&&attribute=stock&&kvpairs=a:b",
    ],
)
def test_what_has_an_effect_is_not_noted(text):
    assert shop_plan(text).notes == ()


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("rank_sort=sort:RANK,percent:100", "rank_sort has no effect here: "),
        ("final_sort=sort_name:mine", "final_sort mine has no effect here: "),
    ],
)
def test_another_order_is_a_warning_too(text, warned):
    found = shop_plan(text)
    assert len(found.warnings) == len(found.notes) == 1
    assert found.warnings[0].startswith(warned)
    assert plan(f"query=words:a&&{text}", Table("s", SHOP.schema, TableSettings(strict=True))).warnings


def test_the_default_sorter_is_the_usual_order():
    assert shop_plan("final_sort=sort_name:DEFAULT").warnings == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("layer=range:nosuch{1}", "ATTRIBUTE_NOT_EXIST"),
        ("layer=range:%docid{[-5,9]}", "RANGE_LESS_THAN_ZERO"),
        ("layer=range:%docid{-5}", "RANGE_LESS_THAN_ZERO"),
        ("layer=range:stock{1}*%docid{5}*price{1}", "LAYER_CLAUSE_ATTRIBUTE_NOT_SEQUENCE"),
        ("layer=range:nosuch{1};range:%docid{-5}", "RANGE_LESS_THAN_ZERO"),
        ("searcher_cache=use:yes,key:1,refresh_attributes:stock;nosuch", "INVALID_REFRESH_ATTRIBUTE"),
        ("searcher_cache=use:yes,key:1,expire_time:stock=1", "EXPRESSION_LR_TYPE_NOT_MATCH"),
        ("searcher_cache=use:yes,key:1,cache_filter:f(stock)", "FUNCTION_NOT_DEFINED"),
        ("rank_sort=sort:price=1,percent:5", "SORT_EXPRESSION_TYPE_BOOL"),
        (
            "rank_sort=sort:RANK,percent:5;sort:price,percent:5&&distinct=dist_key:stock",
            "RANK_SORT_CLAUSE_AND_DISTINCT_CLAUSE_CONFLICT",
        ),
        ("aux_query=words:a", "NO_SCAN_JOIN_CLUSTER_NAME"),
        ("aux_filter=stock=1", "NO_SCAN_JOIN_CLUSTER_NAME"),
    ],
)
def test_what_has_no_effect_is_judged(error_of, text, code):
    assert error_of(f"query=words:a&&{text}", SHOP)[0] == code


@pytest.mark.parametrize(
    "text",
    [
        "layer=range:%docid{[0,9]}*stock{-1,[-5,]}*price{[1.5,2)},quota:1000;range:%other",
        "rank_sort=sort:RANK,percent:5;sort:price,percent:5&&distinct=none_dist;dist_key:stock",
        "rank_sort=sort:RANK,percent:5&&distinct=dist_key:stock",
        "searcher_cache=use:yes,key:1,expire_time:5,refresh_attributes:stock",
    ],
)
def test_what_the_engine_takes_is_taken(text):
    assert shop_plan(text).table == "shop"
