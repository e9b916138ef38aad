"""Random values, literals and conditions for hypothesis, of every field type."""

from __future__ import annotations

from hypothesis import strategies as st

from havengate.types import (
    And,
    Arith,
    AtLeast,
    Call,
    Compare,
    Contains,
    Exists,
    Field,
    In,
    InPolygon,
    Literal,
    Match,
    Not,
    Or,
    Range,
)
from schemas.table import FieldType

TEXTS = ["", "a", "red", "Red", "é", "e\u0301", "\uffff", "\U0001f600", "'", '"', "a\x00b", "\\", "%", "*a?"]
WORDY = [
    "",
    "摩托车头盔",
    "头的盔",
    "Red 红色头盔 XL",
    "头 盔",
    "ＲＥＤ-é",
    "a b",
    "b a",
    "ab",
    "!?",
    "x" * 300,
    "盔头盔",
]
FLOATS = [0.0, -0.0, 0.1, -0.5, 1.0, 2.5, 16777216.0, 1e30, -1e30, 2.0**53, 2.0**63, 2.0**64]
EDGES = [0, 1, -1, 2, 127, 128, 2**24 + 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)]
BEYOND = [*EDGES, 2**64, -(2**63) - 1, 10**400]
MAP_KEYS = ["color", "size", ""]
OPS = ["=", "!=", "<", "<=", ">", ">="]
NUMBERS = [*BEYOND, *FLOATS, 1.5, float("inf")]
COORDINATES = [-1, 0, 1, 2, 0.5]
POLYGONS = [
    [0, 0, 2, 0, 2, 2, 0, 2],
    [-1, -1, 1, -1, 2, 1, 0, 0.5],
    [0, 0, 2, 2, 2, 0, 0, 2],
    [0, 0, 1, 1, 2, 2],
    [0] * 7,
]
"""A square, one that is dented, one that crosses itself, a line, and none."""


def stored(kind: FieldType):
    if kind is FieldType.MAP:
        one = st.sampled_from([*TEXTS, *EDGES, *FLOATS])
        return st.dictionaries(st.sampled_from(MAP_KEYS), one | st.lists(one, max_size=3))
    if kind.is_integer:
        low, high = kind.bounds
        return st.sampled_from([value for value in EDGES if low <= value <= high])
    if kind.is_string:
        return st.sampled_from(TEXTS if kind is FieldType.STRING else WORDY)
    return st.sampled_from(FLOATS)


def several(kind):
    """Values of a multi-value field, now and then corners of a polygon."""
    few = st.lists(stored(kind), max_size=3)
    if not kind.is_number:
        return few
    least = kind.bounds[0] if kind.is_integer else -1
    fitting = [[max(least, int(number) if kind.is_integer else number) for number in one] for one in POLYGONS]
    return few | st.sampled_from(fitting)


def literals(kind: FieldType):
    pools = {FieldType.MAP: [*TEXTS, *NUMBERS], FieldType.STRING: TEXTS, FieldType.TEXT: WORDY}
    return st.sampled_from(pools.get(kind, NUMBERS)).map(Literal)


def conditions(schema):
    """Conditions that no engine refuses."""
    return st.recursive(_leaves(schema), _inner, max_leaves=6)


def _inner(children):
    items = st.lists(children, min_size=1, max_size=3).map(tuple)
    return items.map(And) | items.map(Or) | children.map(Not) | st.builds(AtLeast, items, st.integers(0, 3))


def _leaves(schema):
    specs = list(schema.attribute_fields.values())
    single = [spec for spec in specs if not spec.multi_value and spec.type is not FieldType.MAP]
    kinds = [_comparisons(specs, single), _memberships(specs), _presences(specs)]
    numbers = [spec for spec in specs if spec.type.is_number]
    containers = [spec for spec in specs if spec.multi_value or not spec.type.is_number]
    wordy = [spec for spec in specs if spec.type is FieldType.TEXT]
    if numbers:
        kinds.append(_ranges(numbers))
    if containers:
        kinds.append(_containments(containers))
    if wordy:
        kinds.append(st.builds(Match, _fields(wordy), st.sampled_from(WORDY), st.booleans()))
    if set(numbers) & set(single):
        one_number = [spec for spec in numbers if spec in single]
        kinds += [_sums(one_number), _polygons(one_number, [spec for spec in numbers if spec.multi_value])]
    if computed := calls(specs):
        kinds.append(_calls(computed, single))
    return st.one_of(kinds)


def _field(spec):
    return st.sampled_from(MAP_KEYS if spec.type is FieldType.MAP else [None]).map(lambda path: Field(spec.name, path))


def _fields(specs):
    return st.sampled_from(specs).flatmap(_field)


@st.composite
def _comparisons(draw, specs, single):
    spec = draw(st.sampled_from(specs))
    field, op = draw(_field(spec)), draw(st.sampled_from(OPS))
    if spec in single and draw(st.integers(0, 3)) == 0:
        likes = [other for other in single if other.type.is_string == spec.type.is_string]
        return Compare(op, field, Field(draw(st.sampled_from(likes)).name))
    return Compare(op, *draw(st.permutations([field, draw(literals(spec.type))])))


@st.composite
def _memberships(draw, specs):
    spec = draw(st.sampled_from(specs))
    return In(draw(_field(spec)), tuple(draw(st.lists(literals(spec.type), max_size=4))))


@st.composite
def _ranges(draw, numbers):
    spec = draw(st.sampled_from(numbers))
    bound = st.none() | literals(spec.type)
    return Range(Field(spec.name), draw(bound), draw(bound), draw(st.booleans()), draw(st.booleans()))


@st.composite
def _containments(draw, containers):
    spec = draw(st.sampled_from(containers))
    return Contains(draw(_field(spec)), draw(literals(spec.type)))


def _presences(specs):
    whole = st.sampled_from([Field(spec.name) for spec in specs])
    return st.builds(Exists, whole | _fields(specs))


@st.composite
def _sums(draw, numbers):
    """Arithmetic compared with a literal, a field or other arithmetic."""
    sum_ = draw(sums(numbers))
    other = draw(st.sampled_from(NUMBERS).map(Literal) | _fields(numbers) | sums(numbers))
    return Compare(draw(st.sampled_from(OPS)), *draw(st.permutations([sum_, other])))


@st.composite
def _polygons(draw, numbers, several):
    """A number of the row is x, y or both."""
    side = _fields(numbers) | st.sampled_from(COORDINATES).map(Literal)
    x, y = draw(st.permutations([draw(_fields(numbers)), draw(side)]))
    given = st.sampled_from([tuple(map(Literal, one)) for one in POLYGONS if len(one) % 2 == 0])
    return InPolygon(x, y, draw(given | _fields(several) if several else given), draw(st.booleans()))


def calls(specs):
    """Kind of result -> functions of the fields that give it; nothing of a schema without such fields."""
    single = [spec for spec in specs if not spec.multi_value and spec.type is not FieldType.MAP]
    numbers = [spec for spec in single if spec.type.is_number]
    texts = [spec for spec in single if spec.type.is_string]
    sized = [spec for spec in specs if spec.type.is_string or (spec.multi_value and spec.type is not FieldType.MAP)]
    found = {}
    if numbers:
        found["real"] = _reals(numbers)
    if sized:
        found["integer"] = st.builds(lambda field: Call("fieldlen", (field,)), _fields(sized))
    if written := [spec for spec in single if spec.type.is_integer] + texts:
        found["text"] = _texts(written, texts)
    return found


@st.composite
def _reals(draw, numbers):
    """Arguments with which all libraries agree to the last bit of a FLOAT: no sine of a huge angle."""
    degrees = [spec for spec in numbers if spec.type is FieldType.INT8]
    name = draw(st.sampled_from(["pow", "log", "distance"] if degrees else ["pow", "log"]))
    if name == "distance":
        place = st.sampled_from([-170.5, 0, 30.25, 89]).map(Literal)
        return Call(name, tuple(draw(st.permutations([draw(_fields(degrees)), *(draw(place) for _ in range(3))]))))
    constant = st.sampled_from([-2, -1, 0, 0.5, 1, 2, 3, 10]).map(Literal)
    return Call(name, tuple(draw(st.permutations([draw(_fields(numbers) | sums(numbers, 1)), draw(constant)]))))


@st.composite
def _texts(draw, written, texts):
    written = _fields(written).map(lambda field: Call("to_string", (field,)))
    text = draw(written | _fields(texts) if texts else written)
    if isinstance(text, Call) and draw(st.booleans()):
        return text
    sought, put = draw(st.sampled_from(TEXTS + WORDY)), draw(st.sampled_from("x 1"))
    return Call("string_replace", (text, Literal(sought), Literal(put)))


@st.composite
def _calls(draw, computed, single):
    """A function compared with a literal, a field or another function of its kind."""
    kind = draw(st.sampled_from(sorted(computed)))
    text = kind == "text"
    alike = [spec for spec in single if spec.type.is_string == text]
    others = [computed[other] for other in computed if (other == "text") == text]
    others += [_fields(alike)] if alike else []
    literal = st.sampled_from([*TEXTS, *WORDY, "1", "-1"] if text else [*NUMBERS, 3, 4, 0.25]).map(Literal)
    sides = [draw(computed[kind]), draw(st.one_of(literal, *others))]
    return Compare(draw(st.sampled_from(OPS)), *draw(st.permutations(sides)))


@st.composite
def sums(draw, numbers, depth=3):
    """Arithmetic with a field in it; bit operations where both sides are integers."""
    fields = _fields(numbers)
    constants = st.sampled_from([*EDGES, *FLOATS, 3, -7]).map(Literal)
    inner = fields | constants | (_reals(numbers) | sums(numbers, depth - 1) if depth > 1 else fields)
    left, right = draw(st.permutations([draw(fields), draw(inner)]))
    real = {spec.name for spec in numbers if not spec.type.is_integer}
    return Arith(
        draw(st.sampled_from("+-*/" if _is_real(left, real) or _is_real(right, real) else "+-*/&|^")), left, right
    )


def _is_real(operand, real):
    if isinstance(operand, Arith):
        return _is_real(operand.left, real) or _is_real(operand.right, real)
    if isinstance(operand, Call):
        return True
    return operand.name in real if isinstance(operand, Field) else isinstance(operand.value, float)
