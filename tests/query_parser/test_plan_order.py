"""What is wrong comes up in the engine's order: syntax first, then clause by clause, types included."""

from functools import partial

import pytest
from demo_table import Table
from shop_table import SHOP, shop_plan

from havengate.bind import bind

WINDOW = 5000

STAGES = (
    ("cluster=shop,other", "MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE"),
    ("query=nosuch:a", "INDEX_NOT_EXIST"),
    ("config=start:1,hit:5000", "OVER_RETURN_HITS_LIMIT"),
    ("aux_query=a:b", "NO_SCAN_JOIN_CLUSTER_NAME"),
    ("query=stocks:many", "NUMBER_RANGE_ERROR"),
    ("virtual_attribute=price:stock", "VIRTUALATTRIBUTE_CLAUSE"),
    ("filter=stock", "FILTER_EXPRESSION_NOT_BOOL"),
    ("sort=stock=1", "SORT_EXPRESSION_TYPE_BOOL"),
    ("rank_sort=sort:RANK#RANK,percent:50", "SORT_SAME_EXPRESSION"),
    ('distinct=dist_key:in(stock,"1")', "DISTINCT_EXPRESSION_TYPE_BOOL"),
    ("aggregate=group_key:stock=1,agg_fun:count()", "AGG_FUN_EXPR_RESULT_TYPE"),
    ("attribute=nosuch", "ATTRIBUTE_NOT_EXIST"),
    ("searcher_cache=use:yes,key:1,cache_filter:stock", "FILTER_EXPRESSION_NOT_BOOL"),
    ("pkfilter=x", "PKFILTER_CLAUSE"),
    ("layer=range:nosuch{1},quota:5", "ATTRIBUTE_NOT_EXIST"),
    ("kvpairs=formula:nosuch(vector)", "FUNCTION_NOT_DEFINED"),
)


def clause(piece):
    return piece.partition("=")[0]


def found_in(pieces, error_of, **options):
    """The last of the pieces for each clause stands."""
    given = {"query": "query=words:a"} | {clause(piece): piece for piece in reversed(pieces)}
    return error_of("&&".join(given.values()), SHOP, Table("other"), **options)[0]


@pytest.mark.parametrize("first", range(len(STAGES)))
def test_the_first_clause_that_fails_wins(error_of, first):
    assert found_in([piece for piece, _ in STAGES[first:]], error_of) == STAGES[first][1]


def test_syntax_comes_before_meaning(error_of):
    assert found_in(["query=nosuch:a", "aggregate=group_key"], error_of) == "AGGREGATE_CLAUSE"


TYPES = (
    ("virtual_attribute=bad:name+1", "STRING_IN_BINARY_EXPRESSION"),
    ('filter=stock="a"', "EXPRESSION_LR_TYPE_NOT_MATCH"),
    ("sort=sizes", "EXPRESSION_WITH_MULTI_VALUE"),
    ("rank_sort=sort:nosuch,percent:50", "ATTRIBUTE_NOT_EXIST"),
    ("distinct=dist_key:nosuch", "ATTRIBUTE_NOT_EXIST"),
    ("aggregate=group_key:nosuch,agg_fun:count()", "ATTRIBUTE_NOT_EXIST"),
)


@pytest.mark.parametrize("place", range(len(TYPES)))
def test_types_alone_come_up_in_the_same_order(error_of, place):
    check = partial(bind, window=WINDOW)
    given = "&&".join(piece for piece, _ in TYPES[place:])
    code, _, marked = error_of(f"query=words:a&&{given}&&attribute=nosuch", SHOP, check=check)
    assert code == TYPES[place][1]
    assert marked in TYPES[place][0]


@pytest.mark.parametrize("place", range(len(TYPES)))
def test_types_of_a_clause_come_before_the_next_clause(error_of, place):
    check = partial(bind, window=WINDOW)
    piece, code = TYPES[place]
    later = [
        "filter=stock",
        "sort=stock=1",
        "rank_sort=sort:RANK#RANK,percent:50",
        'distinct=dist_key:in(stock,"1")',
        "aggregate=group_key:stock=1,agg_fun:count()",
        "attribute=nosuch",
    ]
    assert found_in([piece, *later[place:]], error_of, check=check) == code


def test_virtual_attributes_that_nothing_names_are_judged_too(error_of):
    check = partial(bind, window=WINDOW)
    text = "query=words:a&&virtual_attribute=good:price*2;bad:name*2"
    assert error_of(text, SHOP, check=check)[::2] == ("STRING_IN_BINARY_EXPRESSION", "name")


def test_what_is_right_is_planned_with_a_check_as_without():
    text = (
        "virtual_attribute=twice:price*2&&filter=twice>3&&sort=twice&&rank_sort=sort:RANK#-price,percent:50"
        "&&attribute=twice&&searcher_cache=use:yes,key:1,expire_time:stock,cache_filter:stock>1&&pkfilter=5"
    )
    assert shop_plan(text, check=partial(bind, window=WINDOW)) == shop_plan(text)
