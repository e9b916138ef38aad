"""Expressions: arithmetic, relations, functions, what is a condition and what a value."""

import pytest
from demo_table import Table, plan
from shop_table import SHOP, filter_of, shop_plan, shown

from havengate.types import Arith, Call, Field, In, InPolygon, Literal
from query_parser.plan_expr import MAX_PARTS
from query_parser.plan_functions import MAX_LISTED, MAX_VALUES
from schemas.table import FieldSpec, FieldType, TableSchema

NOON = 1_700_000_000.9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price*2>10", "(price*2)>10"),
        ("price+1=stock-2", "(price+1)=(stock-2)"),
        ("stock&1=0", "(stock&1)=0"),
        ("stock|1^2=3", "(stock|(1^2))=3"),
        ("1+2>stock", "(1+2)>stock"),
        ("sizes=3", "sizes=3"),
        ("price>1 AND stock<2 OR name='a'", '((price>1 AND stock<2) OR name="a")'),
        ('in(stock,"1|2")', 'in(stock,"1","2")'),
        ('notin(stock,"1|2")', 'NOT in(stock,"1","2")'),
        ('ha_in(stock,"1|2")', 'in(stock,"1","2")'),
        ('ha_in(sizes,"1;2",";")', 'in(sizes,"1","2")'),
        ('ha_in(name,"a|b",";")', 'in(name,"a|b")'),
        ('not_ha_in(name,"a::b","::")', 'NOT in(name,"a","b")'),
        ('contain(sizes,"1|2")', 'in(sizes,"1","2")'),
        ('contain(name,"a,b",",")', 'in(name,"a","b")'),
        ('in(name," a ||b| ")', 'in(name,"a","b")'),
        ('in(tags.k,"7|7.5|x")', 'in(tags.k,"7","7.5","x",7,7.5)'),
        ('in(stock,"")', "in(stock)"),
        ('in(stock+1,"2|-3")', "((stock+1)=2 OR (stock+1)=-3)"),
        ('notin(stock+1,"")', "NOT (stock+1)!=(stock+1)"),
        ('in(to_string(stock),"2|x")', '(to_string(stock)="2" OR to_string(stock)="x")'),
        ("pow(stock,2)=4", "pow(stock,2)=4"),
        ("log(2,price)>1", "log(2,price)>1"),
        ("fieldlen(sizes)>0", "fieldlen(sizes)>0"),
        ('to_string(stock)="5"', 'to_string(stock)="5"'),
        ('string_replace(name,"ab","_")="x"', 'string_replace(name,"ab","_")="x"'),
        ('distance(lon,lat,"120.5","30")<10', "distance(lon,lat,120.5,30.0)<10"),
        ("distance(lon,lat,120.5,30)<10", "distance(lon,lat,120.5,30)<10"),
        ("distance(lon,lat,x,y)<10&&kvpairs=x:120.5,y:-30", "distance(lon,lat,120.5,-30.0)<10"),
        ("distance(lon,lat,x.k,1)<10&&kvpairs=x:120.5", "distance(lon,lat,x.k,1)<10"),
        ("in_polygon(area,1.5,2)>0", "in_polygon(area,1.5,2)"),
        ('in_polygon(area,"1.5",lat,"false")=1', "in_polygon(area,1.5,lat)"),
        ("in_polygon(area,1,2)=0", "NOT in_polygon(area,1,2)"),
        ("in_polygon(area,1,2)<1", "NOT in_polygon(area,1,2)"),
        ("in_polygon(area,1,2)>=0", "exists(id)"),
        ("in_polygon(area,1,2)>1", "NOT exists(id)"),
        ('in_polygon(area,1,2) AND in(stock,"1")', '(in_polygon(area,1,2) AND in(stock,"1"))'),
        ('in(stock,"1") OR stock=2', '(in(stock,"1") OR stock=2)'),
    ],
)
def test_expressions(text, expected):
    assert filter_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stock<currentTimeInSeconds()", "stock<1700000000"),
        ("stock>currentTimeInSeconds()-86400", "stock>1699913600"),
        ("stock=(currentTimeInSeconds()+400)/86400*2", "stock=39350"),
        ("stock=-7/(currentTimeInSeconds()-1699999998)", "stock=-3"),
        ("stock>currentTimeInSeconds()*0.5", "stock>850000000.0"),
        ("stock>currentTimeInSeconds()/0", "stock>(1700000000/0)"),
        ("currentTimeInSeconds()>5", "exists(id)"),
        ("5>=currentTimeInSeconds()", "NOT exists(id)"),
        ("currentTimeInSeconds()-stock>60", "(1700000000-stock)>60"),
    ],
)
def test_the_time_is_a_constant_of_its_request(text, expected):
    assert filter_of(text, clock=lambda: NOON) == expected


def test_the_clock_is_looked_at_once():
    ticks = iter((5.0, 6.0))
    text = "currentTimeInSeconds()=stock AND stock=currentTimeInSeconds()"
    assert filter_of(text, clock=lambda: next(ticks)) == "(5=stock AND stock=5)"


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ("stock", "FILTER_EXPRESSION_NOT_BOOL", "stock"),
        ("1", "FILTER_EXPRESSION_NOT_BOOL", "1"),
        ("stock+1", "FILTER_EXPRESSION_NOT_BOOL", "stock+1"),
        ("pow(stock,2)", "FILTER_EXPRESSION_NOT_BOOL", "pow(stock,2)"),
        ("currentTimeInSeconds()", "FILTER_EXPRESSION_NOT_BOOL", "currentTimeInSeconds()"),
        ("pow(stock,2) AND stock=1", "EXPRESSION_LR_TYPE_NOT_MATCH", "pow(stock,2)"),
        ("stock=1 OR pow(stock,2)", "EXPRESSION_LR_TYPE_NOT_MATCH", "pow(stock,2)"),
        ("pow(stock,2) AND pow(stock,3)", "LOGICAL_EXPR_LR_TYPE_ERROR", "pow(stock,2)"),
        ('in(stock,"1")=1', "EXPRESSION_LR_TYPE_NOT_MATCH", 'in(stock,"1")'),
        ('1+in(stock,"1")=1', "EXPRESSION_LR_TYPE_NOT_MATCH", 'in(stock,"1")'),
        ("pow(stock=1,2)=1", "EXPRESSION_LR_TYPE_NOT_MATCH", "stock=1"),
        ("nosuch(stock)=1", "FUNCTION_NOT_DEFINED", "nosuch(stock)"),
        ("pow(nosuch(stock),1,2)=1", "FUNCTION_NOT_DEFINED", "nosuch(stock)"),
        ('in_query_polygon("p",area)>0', "FUNCTION_NOT_DEFINED", 'in_query_polygon("p",area)'),
        ("in(stock)", "FUNCTION_ARGCOUNT", "in(stock)"),
        ('in(stock,"1","|")', "FUNCTION_ARGCOUNT", 'in(stock,"1","|")'),
        ("log(price)=1", "FUNCTION_ARGCOUNT", "log(price)"),
        ("currentTimeInSeconds(1)=stock", "FUNCTION_ARGCOUNT", "currentTimeInSeconds(1)"),
        ("distance(lon,lat,1)=1", "FUNCTION_ARGCOUNT", "distance(lon,lat,1)"),
        ("in_polygon(area,1,2,3,4)", "FUNCTION_ARGCOUNT", "in_polygon(area,1,2,3,4)"),
        ('in_polygon(area,1,2,"true")', "FUNCTION_ARGCOUNT", '"true"'),
        ("in(stock,1)", "EXPRESSION_LR_TYPE_NOT_MATCH", "1"),
        ("in(stock,name)", "EXPRESSION_LR_TYPE_NOT_MATCH", "name"),
        ('in(1,"1")', "EXPRESSION_LR_ALL_CONST_VALUE", "1"),
        ('in(stock+1,"a")', "EXPRESSION_LR_TYPE_NOT_MATCH", '"a"'),
        ('ha_in(stock,"1","")', "EXPRESSION_LR_TYPE_NOT_MATCH", '""'),
        ('distance(lon,lat,"east",1)=1', "EXPRESSION_LR_TYPE_NOT_MATCH", '"east"'),
        ('distance(lon,lat,"1_0",1)=1', "EXPRESSION_LR_TYPE_NOT_MATCH", '"1_0"'),
        ('distance(lon,lat,"nan",1)=1', "EXPRESSION_LR_TYPE_NOT_MATCH", '"nan"'),
        ("in_polygon(1,2,3)", "EXPRESSION_LR_TYPE_NOT_MATCH", "1"),
        ('in_polygon(area,1,2)="yes"', "EXPRESSION_LR_TYPE_NOT_MATCH", '"yes"'),
        ("in_polygon(area,1,2)+1=2", "EXPRESSION_LR_TYPE_NOT_MATCH", "in_polygon(area,1,2)"),
    ],
)
def test_expressions_that_are_refused(error_of, text, code, marked):
    assert error_of(f"query=words:a&&filter={text}", SHOP)[::2] == (code, marked)


def test_messages_say_what_a_function_takes(error_of):
    message = error_of("query=words:a&&filter=nosuch(1)=1", SHOP)[1]
    assert message.startswith("no function nosuch; known: in, notin, ha_in, not_ha_in, contain, pow, log, fieldlen")
    message = error_of("query=words:a&&filter=log(price)=1", SHOP)[1]
    assert message == "log() takes two numbers; it has 1 arguments"


def test_operands_have_the_places_they_were_written_at():
    text = 'query=words:a&&filter=in_polygon(area,"1",lat)>0 AND pow(stock,2)*3=1'
    polygon, compare = shop_plan(text).filter.items

    def at(part):
        return text[part.span.start : part.span.end]

    assert isinstance(polygon, InPolygon)
    assert (at(polygon), at(polygon.x), at(polygon.polygon)) == ('in_polygon(area,"1",lat)', '"1"', "area")
    assert isinstance(compare.left, Arith)
    assert isinstance(compare.left.left, Call)
    assert (at(compare), at(compare.left), at(compare.left.left)) == (
        "pow(stock,2)*3=1",
        "pow(stock,2)*3",
        "pow(stock,2)",
    )


def test_distance_has_no_output_name():
    found = shop_plan("filter=distance(lon,lat,1,2,far)<5")
    assert shown(found.filter) == "distance(lon,lat,1,2)<5"
    assert found.notes == ("the output name of distance() has no effect here",)


def test_kvpairs_stand_for_no_field_of_the_table():
    assert filter_of("distance(lon,lat,lon,nosuch)<5&&kvpairs=lon:1") == "distance(lon,lat,lon,nosuch)<5"


def test_keys_of_a_map_are_texts_or_numbers():
    found = shop_plan('filter=in(tags.k,"7")').filter
    assert found == In(
        Field("tags", "k", found.field.span),
        (Literal("7", found.values[0].span), Literal(7, found.values[1].span)),
        found.span,
    )


def test_values_have_an_end(error_of):
    listed = "|".join(map(str, range(MAX_VALUES)))
    assert len(shop_plan(f'filter=in(stock,"{listed}")').filter.values) == MAX_VALUES
    code, message, marked = error_of(f'query=words:a&&filter=in(stock,"{listed}|x")', SHOP)
    assert (code, marked) == ("FILTER_CLAUSE", f'"{listed}|x"')
    assert message == f"the request has more than {MAX_VALUES} values inside in()"


def test_values_listed_again_have_an_end_too(error_of):
    given = "1|" * MAX_LISTED
    assert error_of(f'query=words:a&&filter=in(stock,"{given}")', SHOP)[::2] == ("FILTER_CLAUSE", f'"{given}"')


def test_values_listed_again_count_once():
    listed = "|".join(["1", "2", " 1 "] * MAX_VALUES)
    assert filter_of(f'in(stock,"{listed}")') == 'in(stock,"1","2")'


def test_the_end_of_values_is_the_whole_requests(error_of):
    listed = "|".join(map(str, range(MAX_VALUES)))
    text = f'query=words:a&&filter=in(stock,"{listed}") OR (stock=1 AND ha_in(sizes,"7"))'
    assert error_of(text, SHOP)[::2] == ("FILTER_CLAUSE", '"7"')


def test_parts_have_an_end(error_of):
    def filter_of(parts):
        # One is the OR; a comparison has five with a sum, else three.
        sums = 2 * ((parts - 1) % 3)
        return " OR ".join(["stock+1=1"] * sums + ["stock=1"] * ((parts - 1 - 5 * sums) // 3))

    assert shop_plan(f"filter={filter_of(MAX_PARTS)}").filter is not None
    text = filter_of(MAX_PARTS + 1)
    assert error_of(f"query=words:a&&filter={text}", SHOP)[:2] == (
        "FILTER_CLAUSE",
        f"the expressions have more than {MAX_PARTS} parts",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("pkfilter=123", "id=123"), ("pkfilter=-5&&filter=stock=1", "(id=-5 AND stock=1)")],
)
def test_the_pkfilter_is_the_key(text, expected):
    assert shown(shop_plan(text).filter) == expected


def test_a_pkfilter_of_a_text_key():
    fields = {**SHOP.schema.fields, "id": FieldSpec("id", FieldType.STRING)}
    table = Table("shop", TableSchema(fields, "id", SHOP.schema.vector_indexes))
    assert shown(plan("query=vector:'1,2'&&pkfilter=A 1", table).filter) == 'id="A 1"'


@pytest.mark.parametrize("given", ["", "x", "1.5", "12 13"])
def test_a_pkfilter_that_is_no_key(error_of, given):
    assert error_of(f"query=words:a&&pkfilter={given}", SHOP)[::2] == ("PKFILTER_CLAUSE", given)
