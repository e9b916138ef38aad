"""What every engine refuses of a condition, with the code of the first thing that is wrong."""

from __future__ import annotations

import pytest
from engine_samples import compare, make_row, make_schema, make_spec, query

from engines.contract import RowsQuery
from havengate.bind_expr import bind_expr
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Arith, AtLeast, Call, Compare, Contains, Exists, Field, In, InPolygon, Literal, Match, Range

TRIANGLE = tuple(map(Literal, (0, 0, 2, 0, 1, 2)))


@pytest.fixture
def table(engine):
    engine.create_table(make_spec())
    return engine


def replaced(field, characters, by):
    call = Call("string_replace", (Field(field), Literal(characters), Literal(by)))
    return Compare("=", call, Literal("b"))


def deep(depth):
    value = Field("i64")
    for _ in range(depth):
        value = Arith("+", value, Literal(1))
    return value


WRONG = [
    (compare("s", ">", 1), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Arith("+", Field("s"), Literal(1)), Literal(1)), HaCode.STRING_IN_BINARY_EXPRESSION),
    (Compare("=", Arith("+", Field("i64"), Literal("1")), Literal(1)), HaCode.STRING_IN_BINARY_EXPRESSION),
    (Compare("=", Arith("+", Field("i64"), Literal(1)), Literal("1")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Arith("+", Field("i64"), Literal(1)), Field("s")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Arith("&", Field("i64"), Literal(1.0)), Literal(1)), HaCode.BIT_UNSUPPORT_TYPE_ERROR),
    (Compare("=", Arith("|", Field("d"), Literal(1)), Literal(1)), HaCode.BIT_UNSUPPORT_TYPE_ERROR),
    (Compare("=", Arith("+", Field("is"), Literal(1)), Literal(1)), HaCode.EXPRESSION_WITH_MULTI_VALUE),
    (Compare("=", Arith("+", Field("m", "k"), Literal(1)), Literal(1)), HaCode.EXPRESSION_RESULT_UNKNOWN_TYPE),
    (Compare("=", Arith("+", Field("i64"), Literal(1)), Field("is")), HaCode.EXPRESSION_WITH_MULTI_VALUE),
    (Compare("=", Arith("+", Field("absent"), Literal(1)), Literal(1)), HaCode.ATTRIBUTE_NOT_EXIST),
    (Compare("=", Arith("+", Literal(1), Literal(1)), Literal(2)), HaCode.EXPRESSION_LR_ALL_CONST_VALUE),
    (Compare("=", Arith("+", Field("i64"), Literal(2**64)), Literal(2)), HaCode.CONST_EXPRESSION_VALUE),
    (Compare("=", Arith("+", Field("i64"), Literal(float("nan"))), Literal(2)), HaCode.CONST_EXPRESSION_VALUE),
    (Compare("=", Arith("%", Field("i64"), Literal(2)), Literal(2)), HaCode.FILTER_CLAUSE),
    (Compare("=", deep(5000), Literal(2)), HaCode.FILTER_CLAUSE),
    (Range(Field("s"), Literal("a")), HaCode.STRING_EXPRESSION_NOT_SUPPORT),
    (Range(Field("m", "k"), Literal(1)), HaCode.STRING_EXPRESSION_NOT_SUPPORT),
    (Range(Field("i64"), Literal("1")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Range(Field("i64"), Literal(1), Literal(float("nan"))), HaCode.CONST_EXPRESSION_VALUE),
    (Range(Field("absent")), HaCode.ATTRIBUTE_NOT_EXIST),
    (Contains(Field("i64"), Literal(1)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Contains(Field("s"), Literal(1)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Contains(Field("is"), Literal("1")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Contains(Field("m"), Literal("1")), HaCode.ATTRIBUTE_NOT_EXIST),
    (Contains(Field("s"), Literal(True)), HaCode.CONST_EXPRESSION_VALUE),
    (Exists(Field("absent")), HaCode.ATTRIBUTE_NOT_EXIST),
    (Exists(Field("s", "k")), HaCode.ATTRIBUTE_NOT_EXIST),
    (Exists(Field("vector_field")), HaCode.ATTRIBUTE_NOT_EXIST),
    (Match(Field("s"), "a"), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Match(Field("m", "k"), "a"), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Match(Field("absent"), "a"), HaCode.ATTRIBUTE_NOT_EXIST),
    (Compare("=", Call("sqrt", (Field("d"),)), Literal(1)), HaCode.FUNCTION_NOT_DEFINED),
    (Compare("=", Call("log", (Field("d"),)), Literal(1)), HaCode.FUNCTION_ARGCOUNT),
    (Compare("=", Call("pow", (Literal(2), Literal(3))), Literal(8)), HaCode.EXPRESSION_LR_ALL_CONST_VALUE),
    (Compare("=", Call("pow", (Field("absent"), Literal(3))), Literal(8)), HaCode.ATTRIBUTE_NOT_EXIST),
    (Compare("=", Call("pow", (Field("s"), Literal(3))), Literal(8)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("pow", (Field("d"), Literal("3"))), Literal(8)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("pow", (Field("is"), Literal(3))), Literal(8)), HaCode.EXPRESSION_WITH_MULTI_VALUE),
    (Compare("=", Call("pow", (Field("m", "k"), Literal(3))), Literal(8)), HaCode.EXPRESSION_RESULT_UNKNOWN_TYPE),
    (Compare("=", Call("pow", (Field("d"), Literal(2**64))), Literal(8)), HaCode.CONST_EXPRESSION_VALUE),
    (Compare("=", Call("pow", (Field("d"), Literal(2))), Literal("8")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("pow", (Field("d"), Literal(2))), Field("is")), HaCode.EXPRESSION_WITH_MULTI_VALUE),
    (Compare("=", Call("pow", (deep(5000), Literal(2))), Literal(8)), HaCode.FILTER_CLAUSE),
    (
        Compare("=", Arith("+", Call("to_string", (Field("i8"),)), Literal(1)), Literal(8)),
        HaCode.STRING_IN_BINARY_EXPRESSION,
    ),
    (
        Compare("=", Arith("&", Call("pow", (Field("i8"), Literal(2))), Literal(1)), Literal(8)),
        HaCode.BIT_UNSUPPORT_TYPE_ERROR,
    ),
    (Compare("=", Call("to_string", (Field("d"),)), Literal("1")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("to_string", (Field("ss"),)), Literal("1")), HaCode.EXPRESSION_WITH_MULTI_VALUE),
    (Compare("=", Call("to_string", (Field("i8"),)), Literal(1)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("to_string", (Field("i8"),)), Field("i8")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("fieldlen", (Field("i8"),)), Literal(1)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("fieldlen", (Literal("a"),)), Field("i8")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (Compare("=", Call("fieldlen", (Field("m", "k"),)), Literal(1)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (replaced("i8", "a", "b"), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (replaced("s", 1, "b"), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (replaced("s", "a", "bc"), HaCode.CONST_EXPRESSION_VALUE),
    (replaced("s", "a", ""), HaCode.CONST_EXPRESSION_VALUE),
    (replaced("s", "a", "é"), HaCode.CONST_EXPRESSION_VALUE),
    (InPolygon(Field("s"), Literal(1), TRIANGLE), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (InPolygon(Field("is"), Literal(1), TRIANGLE), HaCode.EXPRESSION_WITH_MULTI_VALUE),
    (InPolygon(Field("absent"), Literal(1), TRIANGLE), HaCode.ATTRIBUTE_NOT_EXIST),
    (InPolygon(Literal(1), Literal(1), TRIANGLE), HaCode.EXPRESSION_LR_ALL_CONST_VALUE),
    (InPolygon(Field("d"), Literal(1), TRIANGLE[1:]), HaCode.CONST_EXPRESSION_VALUE),
    (InPolygon(Field("d"), Literal(1), TRIANGLE[2:]), HaCode.CONST_EXPRESSION_VALUE),
    (InPolygon(Field("d"), Literal(1), (*TRIANGLE[1:], Literal("0"))), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (InPolygon(Field("d"), Literal(1), Field("ss")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (InPolygon(Field("d"), Literal(1), Field("f")), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
    (AtLeast((compare("s", ">", "a"), compare("s", ">", 1)), 1), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH),
]


UNTYPED = In(Field("t"), (Literal(1),)), HaCode.EXPRESSION_LR_TYPE_NOT_MATCH
"""Binding makes a text of the number."""


@pytest.mark.parametrize(("wrong", "code"), [*WRONG, UNTYPED])
def test_a_wrong_condition_is_refused(table, wrong, code):
    table.upsert("t", [make_row(1, (0, 0))])
    for call in (
        lambda: table.rows("t", RowsQuery(wrong)),
        lambda: table.rows("t", RowsQuery(marks=(wrong,))),
        lambda: table.pool("t", query((0, 0), marks=(wrong,))),
    ):
        with pytest.raises(RequestError) as caught:
            call()
        assert caught.value.code == code


@pytest.mark.parametrize(("wrong", "code"), WRONG)
def test_binding_refuses_it_with_the_same_code(wrong, code):
    with pytest.raises(RequestError) as caught:
        bind_expr(wrong, make_schema())
    assert caught.value.code == code
