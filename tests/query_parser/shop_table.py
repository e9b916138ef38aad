"""A table with every kind of index, and plans as short texts."""

from demo_table import Table, plan

from havengate.expr import operand_text
from havengate.types import (
    And,
    AndNot,
    AtLeast,
    Compare,
    Exists,
    Field,
    In,
    InPolygon,
    Not,
    NumberTerm,
    Or,
    RankNode,
    TextTerm,
    VectorTerm,
)
from schemas.table import FieldSpec, FieldType, TableSchema, TermIndex, VectorIndex

_FIELDS = (
    FieldSpec("id", FieldType.INT64),
    FieldSpec("name", FieldType.STRING),
    FieldSpec("title", FieldType.TEXT),
    FieldSpec("body", FieldType.TEXT),
    FieldSpec("price", FieldType.DOUBLE),
    FieldSpec("stock", FieldType.INT32),
    FieldSpec("sizes", FieldType.INT32, multi_value=True),
    FieldSpec("tags", FieldType.MAP),
    FieldSpec("lon", FieldType.DOUBLE),
    FieldSpec("lat", FieldType.DOUBLE),
    FieldSpec("area", FieldType.DOUBLE, multi_value=True),
    FieldSpec("point", FieldType.FLOAT, multi_value=True),
)
_TERMS = (
    TermIndex("id", "NUMBER", ("id",)),
    TermIndex("title_words", "TEXT", ("title",)),
    TermIndex("words", "TEXT", ("title", "body")),
    TermIndex("names", "STRING", ("name",)),
    TermIndex("stocks", "NUMBER", ("stock",)),
    TermIndex("prices", "NUMBER", ("price",)),
)
SHOP = Table(
    "shop",
    TableSchema(
        {spec.name: spec for spec in _FIELDS},
        "id",
        {"vector": VectorIndex("vector", "point", 2, "SquaredEuclidean")},
        {index.name: index for index in _TERMS},
    ),
)


def shop_plan(text, **options):
    """A request's plan; one without a query looks for all of a shop's helmets."""
    return plan(text if text.startswith("query=") else f"query=words:helmet&&{text}", SHOP, **options)


def filter_of(text, **options):
    return shown(shop_plan(f"filter={text}", **options).filter)


def query_of(text, **options):
    return tree(shop_plan(f"query={text}", **options).query)


def tree(node):
    """A query tree as a list: an operator and its operands."""
    match node:
        case And(items) | Or(items):
            return [type(node).__name__.upper(), *map(tree, items)]
        case AtLeast(items, count):
            return [count, *map(tree, items)]
        case AndNot(keep, drop):
            return ["ANDNOT", tree(keep), tree(drop)]
        case RankNode(keep, boosts):
            return ["RANK", tree(keep), *map(tree, boosts)]
        case _:
            return f"{node.index}{_sought(node)}{'' if node.weight == 1 else f'^{node.weight:g}'}"


def _sought(term):
    match term:
        case VectorTerm(_, payload):
            return f":{payload}"
        case TextTerm(_, text, phrase):
            quote = '"' if phrase else "'"
            fields = f"{'(' if term.all_fields else '['}{','.join(term.fields)}" if term.fields else ""
            return f"{fields}:{quote}{text}{quote}"
        case NumberTerm(_, low, high):
            return f":{'(['[term.include_low]}{low},{high}{')]'[term.include_high]}"


def shown(expr):
    """A condition or a value as one text."""
    match expr:
        case Compare(op, left, right):
            return f"{operand_text(left)}{op}{operand_text(right)}"
        case Exists(Field(name)):
            return f"exists({name})"
        case In() | InPolygon():
            return _call(expr)
        case Not(item):
            return f"NOT {shown(item)}"
        case And(items) | Or(items):
            return f"({f' {type(expr).__name__.upper()} '.join(map(shown, items))})"
        case _:
            return operand_text(expr)


def _call(expr):
    match expr:
        case In(field, values):
            return f"in({','.join(map(operand_text, (field, *values)))})"
        case InPolygon(x, y, polygon):
            return f"in_polygon({','.join(map(operand_text, (polygon, x, y)))})"
