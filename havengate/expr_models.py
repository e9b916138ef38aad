"""pydantic models of conditions and operands in the plan's JSON form: strict, nothing unknown is taken."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Discriminator, FiniteFloat, StrictInt, StrictStr, Tag, model_validator
from pydantic import Field as Spec

from havengate.types import (
    And,
    Arith,
    ArithOp,
    AtLeast,
    Call,
    Compare,
    CompareOp,
    Contains,
    Exists,
    Expr,
    Field,
    FunctionName,
    In,
    InPolygon,
    Literal,
    Match,
    Not,
    Operand,
    Or,
    Range,
)

MAX_ITEMS = 10_000
MAX_ARGUMENTS = 16
ScalarJson = StrictStr | StrictInt | FiniteFloat
NumberJson = StrictInt | FiniteFloat


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class OneKind(Model):
    """An object with exactly one key."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        values = [getattr(self, name) for name in self.model_fields_set]
        if len(values) != 1 or values[0] is None:
            known = ", ".join(field.alias or name for name, field in type(self).model_fields.items())
            raise ValueError(f"exactly one of {known}")
        return self


def field_of(text: str) -> Field:
    """``tags.color`` is a key of the MAP ``tags``."""
    name, dot, path = text.partition(".")
    return Field(name, path if dot else None)


class FieldModel(Model):
    field: str

    def to_field(self) -> Field:
        return field_of(self.field)


class ArithPartsModel(Model):
    op: ArithOp
    left: OperandJson
    right: OperandJson


class ArithModel(Model):
    arith: ArithPartsModel

    def to_operand(self) -> Arith:
        return Arith(self.arith.op, operand_of(self.arith.left), operand_of(self.arith.right))


class CallPartsModel(Model):
    name: FunctionName
    args: Annotated[list[OperandJson], Spec(max_length=MAX_ARGUMENTS)]


class CallModel(Model):
    call: CallPartsModel

    def to_operand(self) -> Call:
        return Call(self.call.name, tuple(operand_of(arg) for arg in self.call.args))


def _form(value: object) -> str | None:
    """The tag of an operand's form; tags in angle brackets are left out of an error's path."""
    if isinstance(value, dict):
        return _computed(value) or "<field>"
    return "<scalar>" if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _computed(value: dict[object, object]) -> str | None:
    return "<arith>" if "arith" in value else "<call>" if "call" in value else None


OperandJson = Annotated[
    Annotated[FieldModel, Tag("<field>")]
    | Annotated[ArithModel, Tag("<arith>")]
    | Annotated[CallModel, Tag("<call>")]
    | Annotated[ScalarJson, Tag("<scalar>")],
    Discriminator(
        _form,
        custom_error_type="operand",
        custom_error_message='a text, a number, {"field": …}, {"arith": …} or {"call": …} is needed',
    ),
]


def operand_of(value: FieldModel | ArithModel | CallModel | str | float) -> Operand:
    match value:
        case FieldModel():
            return value.to_field()
        case ArithModel() | CallModel():
            return value.to_operand()
        case _:
            return Literal(value)


def _by_form(value: object) -> str | None:
    if isinstance(value, dict):
        return _computed(value) or "<arith>"
    return "<field>" if isinstance(value, str) else None


ByJson = Annotated[
    Annotated[str, Tag("<field>")] | Annotated[ArithModel, Tag("<arith>")] | Annotated[CallModel, Tag("<call>")],
    Discriminator(
        _by_form,
        custom_error_type="by",
        custom_error_message='the name of a field, {"arith": …} or {"call": …} is needed',
    ),
]
"""What to sort, group or compute by; unlike an operand's, a text here names a field."""


def by_of(value: str | ArithModel | CallModel) -> Operand:
    return field_of(value) if isinstance(value, str) else value.to_operand()


class CompareModel(Model):
    op: CompareOp
    left: OperandJson
    right: OperandJson

    def to_expr(self) -> Compare:
        return Compare(self.op, operand_of(self.left), operand_of(self.right))


class InModel(FieldModel):
    values: Annotated[list[ScalarJson], Spec(min_length=1, max_length=MAX_ITEMS)]

    def to_expr(self) -> In:
        return In(self.to_field(), tuple(Literal(value) for value in self.values))


class RangeModel(FieldModel):
    low: NumberJson | None = None
    high: NumberJson | None = None
    include_low: bool = True
    include_high: bool = True

    def to_expr(self) -> Range:
        low, high = (None if end is None else Literal(end) for end in (self.low, self.high))
        return Range(self.to_field(), low, high, self.include_low, self.include_high)


class ContainsModel(FieldModel):
    value: ScalarJson

    def to_expr(self) -> Contains:
        return Contains(self.to_field(), Literal(self.value))


class ExistsModel(FieldModel):
    def to_expr(self) -> Exists:
        return Exists(self.to_field())


class MatchModel(FieldModel):
    text: str
    phrase: bool = False

    def to_expr(self) -> Match:
        return Match(self.to_field(), self.text, self.phrase)


class AtLeastModel(Model):
    count: int = Spec(ge=0)
    items: Annotated[list[ExprModel], Spec(min_length=1, max_length=MAX_ITEMS)]

    def to_expr(self) -> AtLeast[Expr]:
        return AtLeast(tuple(item.to_expr() for item in self.items), self.count)


def _polygon_form(value: object) -> str | None:
    return "<field>" if isinstance(value, dict) else "<corners>" if isinstance(value, list) else None


PolygonJson = Annotated[
    Annotated[FieldModel, Tag("<field>")] | Annotated[list[NumberJson], Spec(max_length=MAX_ITEMS), Tag("<corners>")],
    Discriminator(
        _polygon_form,
        custom_error_type="polygon",
        custom_error_message='numbers x0, y0, x1, y1, … or {"field": …} are needed',
    ),
]


class InPolygonModel(Model):
    x: OperandJson
    y: OperandJson
    polygon: PolygonJson
    edge: bool = False

    def to_expr(self) -> InPolygon:
        polygon = self.polygon
        return InPolygon(
            operand_of(self.x),
            operand_of(self.y),
            polygon.to_field() if isinstance(polygon, FieldModel) else tuple(Literal(number) for number in polygon),
            self.edge,
        )


class ExprModel(OneKind):
    compare: CompareModel | None = None
    member: InModel | None = Spec(None, alias="in")
    range: RangeModel | None = None
    contains: ContainsModel | None = None
    exists: ExistsModel | None = None
    match: MatchModel | None = None
    atleast: AtLeastModel | None = None
    in_polygon: InPolygonModel | None = None
    negated: ExprModel | None = Spec(None, alias="not")
    all_of: list[ExprModel] | None = Spec(None, alias="and", min_length=1, max_length=MAX_ITEMS)
    any_of: list[ExprModel] | None = Spec(None, alias="or", min_length=1, max_length=MAX_ITEMS)

    def to_expr(self) -> Expr:
        if self.negated is not None:
            return Not(self.negated.to_expr())
        if self.all_of is not None:
            return And(tuple(item.to_expr() for item in self.all_of))
        whole = (self.compare, self.member, self.range, self.contains, self.exists, self.match)
        for node in (*whole, self.atleast, self.in_polygon):
            if node is not None:
                return node.to_expr()
        return Or(tuple(item.to_expr() for item in self.any_of or ()))


def _value_form(value: object) -> str | None:
    condition = isinstance(value, dict) and not value.keys() & {"field", "arith", "call"}
    return "<condition>" if condition else _form(value)


ValueJson = Annotated[
    Annotated[FieldModel, Tag("<field>")]
    | Annotated[ArithModel, Tag("<arith>")]
    | Annotated[CallModel, Tag("<call>")]
    | Annotated[ScalarJson, Tag("<scalar>")]
    | Annotated[ExprModel, Tag("<condition>")],
    Discriminator(_value_form, custom_error_type="value", custom_error_message="an operand or a condition is needed"),
]
"""A value or a truth."""


def value_of(value: FieldModel | ArithModel | CallModel | ExprModel | str | float) -> Operand | Expr:
    return value.to_expr() if isinstance(value, ExprModel) else operand_of(value)
