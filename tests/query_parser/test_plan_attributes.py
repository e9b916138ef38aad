"""Virtual attributes, and the attribute clause."""

import pytest
from shop_table import SHOP, shop_plan, shown

from havengate.expr import operand_text
from query_parser.nodes import MAX_DEPTH
from query_parser.plan_attributes import MAX_NAMES

ALWAYS = ("id", "name", "title", "body", "price", "stock", "sizes", "tags", "lon", "lat", "area")


def named(text):
    return [(variable.name, shown(variable.value)) for variable in shop_plan(text).variables]


def test_names_stand_for_their_expressions_everywhere():
    found = shop_plan(
        "virtual_attribute=twice:price*2;more:twice+1;cheap:price<5"
        "&&filter=more>3 AND twice<9"
        "&&sort=-more;twice"
        "&&distinct=dist_key:twice,dist_filter:cheap"
        "&&aggregate=group_key:stock,agg_fun:sum(twice)#count(),agg_filter:more>7"
    )
    assert shown(found.filter) == "(((price*2)+1)>3 AND (price*2)<9)"
    assert [operand_text(key.by) for key in found.sort] == ["((price*2)+1)", "(price*2)"]
    assert [(operand_text(each.key), shown(each.filter)) for each in found.distinct] == [("(price*2)", "price<5")]
    (aggregate,) = found.aggregates
    assert operand_text(aggregate.functions[0].value) == "(price*2)"
    assert shown(aggregate.filter) == "((price*2)+1)>7"
    assert found.variables == ()


def test_a_condition_may_be_the_filter():
    assert shown(shop_plan("virtual_attribute=cheap:price<5 AND stock>1&&filter=cheap").filter) == (
        "(price<5 AND stock>1)"
    )


def test_the_attribute_clause_returns_them():
    text = 'virtual_attribute=twice:price*2;cheap:price<5;big:contain(sizes,"9")&&attribute=twice,cheap'
    assert named(text) == [("twice", "(price*2)"), ("cheap", "price<5")]
    assert shop_plan(text).output_fields is None


def test_fields_and_virtual_attributes_side_by_side():
    found = shop_plan("virtual_attribute=twice:price*2&&attribute=point,twice,stock")
    assert [variable.name for variable in found.variables] == ["twice"]
    assert found.output_fields == (*ALWAYS, "point")


def test_a_name_has_no_keys():
    assert shown(shop_plan("virtual_attribute=a:stock&&filter=a.k=1").filter) == "a.k=1"


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ("virtual_attribute=price:stock", "VIRTUALATTRIBUTE_CLAUSE", "price:stock"),
        ("virtual_attribute=point:stock", "VIRTUALATTRIBUTE_CLAUSE", "point:stock"),
        ("virtual_attribute=a:nosuch(stock)", "FUNCTION_NOT_DEFINED", "nosuch(stock)"),
        ("virtual_attribute=a:stock&&filter=a", "FILTER_EXPRESSION_NOT_BOOL", "a"),
        ("virtual_attribute=a:stock=1&&filter=a=1", "EXPRESSION_LR_TYPE_NOT_MATCH", "a"),
        ("virtual_attribute=a:stock=1&&sort=a", "SORT_EXPRESSION_TYPE_BOOL", "a"),
        ("attribute=stock,nosuch", "ATTRIBUTE_NOT_EXIST", "nosuch"),
        ("virtual_attribute=a:stock&&attribute=a,b", "ATTRIBUTE_NOT_EXIST", "b"),
    ],
)
def test_what_is_refused(error_of, text, code, marked):
    assert error_of(f"query=words:a&&{text}", SHOP)[::2] == (code, marked)


def test_a_name_is_known_after_its_own_description():
    found = shop_plan("virtual_attribute=a:b+1;b:a+2&&attribute=a,b")
    assert [shown(variable.value) for variable in found.variables] == ["(b+1)", "((b+1)+2)"]


def test_names_of_names_have_an_end(error_of):
    doubled = ";".join(["a0:price", *(f"a{n}:a{n - 1}+a{n - 1}" for n in range(1, 60))])
    code, message, marked = error_of(f"query=words:a&&virtual_attribute={doubled}", SHOP)
    assert code == "FILTER_CLAUSE"
    assert message.startswith("the expressions have more than")
    assert marked.startswith("a1")


def chain(length):
    return ";".join(["a0:price", *(f"a{n}:a{n - 1}+1" for n in range(1, length))])


def test_names_of_names_are_not_deep(error_of):
    assert len(shop_plan(f"virtual_attribute={chain(MAX_DEPTH)}").variables) == 0
    code, message, marked = error_of(f"query=words:a&&virtual_attribute={chain(MAX_DEPTH + 1)}", SHOP)
    assert (code, marked) == ("VIRTUALATTRIBUTE_CLAUSE", f"a{MAX_DEPTH - 1}+1")
    assert message == f"with its names replaced the expression is nested deeper than {MAX_DEPTH}"


@pytest.mark.parametrize("names", ["a{}+1", "a{}+a0", "a0+a{}"])
def test_expressions_over_names_are_not_deep(error_of, names):
    half = MAX_DEPTH // 2
    deep = names.format(half) + "+1" * (half - 1)
    code, _, marked = error_of(f"query=words:a&&virtual_attribute={chain(half + 1)}&&filter={deep}>1", SHOP)
    assert (code, marked) == ("FILTER_CLAUSE", f"{deep}>1")


def test_names_have_an_end(error_of):
    many = ";".join(f"a{n}:price" for n in range(MAX_NAMES + 1))
    code, message, marked = error_of(f"query=words:a&&virtual_attribute={many}", SHOP)
    assert (code, message, marked) == ("VIRTUALATTRIBUTE_CLAUSE", "virtual attribute 257: too many", "a256:price")
