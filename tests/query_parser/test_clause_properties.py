"""Whatever stands in a clause, it is read or refused with a span; what was read is read again from its own text."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import ORDER
from query_parser.expr import parse_expr
from query_parser.judge import REQUEST, judge
from query_parser.nodes import Arithmetic, Call, Constant, Logical, Name, Relation
from query_parser.show_expr import expr_text
from query_parser.tokens import KEYWORDS, MAX_TOKENS, quoted

CASES = json.loads((Path(__file__).parents[1] / "conformance" / "ha3" / "clauses.json").read_text(encoding="utf-8"))
VALID = [(case["clause"], case["given"]) for case in CASES["cases"] if "result" in case]
AS_TREES = {"query", "aux_query"}
SIGNS = st.sampled_from(
    [
        *"()[]{},;:#|~*%+-/^&=<>!'\"\\@. \n1a",
        "&&",
        "AND",
        " OR ",
        "RANK",
        "dist_key:",
        "sum(",
        "0x1",
        "1.5",
        "é",
        "range:",
    ]
)


def verdict(clause, text):
    """What is found, or None where the text is refused with a span inside."""
    try:
        return judge(clause, text)
    except RequestError as error:
        refusal = error
    assert refusal.message
    assert refusal.span is not None
    assert 0 <= refusal.span.start <= refusal.span.end <= len(text)
    return None


def check(clause, text):
    found = verdict(clause, text)
    if found is not None and found.tree and clause not in AS_TREES:
        again = judge(clause, found.tree)
        assert (again.tree, again.warnings) == (found.tree, ())


@given(st.sampled_from(ORDER), st.one_of(st.text(max_size=40), st.lists(SIGNS, max_size=20).map("".join)))
@settings(max_examples=300, deadline=None)
def test_any_text_of_a_clause(clause, text):
    check(clause, text)


@given(st.sampled_from(VALID), st.data())
@settings(max_examples=400, deadline=None)
def test_a_valid_clause_that_was_changed_somewhere(case, data):
    clause, text = case
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    check(clause, text[:start] + data.draw(SIGNS | st.just("")) + text[end:])


@given(st.lists(st.sampled_from(VALID), max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_request_of_valid_clauses_is_valid(cases):
    texts = {
        clause: text for clause, text in cases if "&&" not in text and not (clause == "config" and "format" in text)
    }
    found = judge(REQUEST, "&&".join(f"{clause}={text}" for clause, text in texts.items()) or "query=a")
    shown = [each.partition("=")[0] for each in found.tree.split("&&") if each]
    assert shown == sorted(shown, key=ORDER.index)


# --- expressions ---------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b_1", "tags.colour", *sorted(KEYWORDS)])
FUNCTIONS = st.sampled_from(["f", "in", "sum", "distinct_count"])
SPAN = Span(0, 0)


def constant(value):
    return Constant(value, quoted(value) if isinstance(value, str) else str(value), SPAN)


LEAVES = st.one_of(
    NAMES.map(lambda name: Name(name.partition(".")[0], name.partition(".")[2] or None, SPAN)),
    st.integers(-(2**70), 2**70).map(constant),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: constant(round(number, 3))),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8).map(constant),
)


def joined(op, left, right):
    """What is joined from the left is one node."""
    items = left.items if isinstance(left, Logical) and left.op == op else (left,)
    return Logical(op, (*items, right), SPAN)


def calls(arguments):
    return st.builds(lambda name, given: Call(name, tuple(given), SPAN), FUNCTIONS, st.lists(arguments, max_size=3))


VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        calls(inner)
        | st.builds(lambda op, left, right: Arithmetic(op, left, right, SPAN), st.sampled_from("+-*/&|^"), inner, inner)
    ),
    max_leaves=8,
)
RELATIONS = st.builds(
    lambda op, left, right: Relation(op, left, right, SPAN),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    VALUES,
    VALUES,
)
CONDITIONS = st.recursive(
    RELATIONS | calls(VALUES | RELATIONS),
    lambda inner: st.builds(joined, st.sampled_from(["AND", "OR"]), inner, inner),
    max_leaves=8,
)


def parsed(text):
    remarks = []
    found = parse_expr(text, Span(0, len(text)), HaCode.FILTER_CLAUSE, remarks)
    assert remarks == []
    return found


@given(VALUES | CONDITIONS)
@settings(max_examples=200, deadline=None)
def test_an_expression_is_read_from_what_it_prints(tree):
    assert parsed(expr_text(tree)) == tree


LEVELS = {"OR": 1, "AND": 2, "=": 3, "|": 4, "^": 5, "&": 6, "+": 7, "-": 7, "*": 8, "/": 8}


def expected(operands, operators):
    """The tree by the rule: split at the last of the loosest operators."""
    if not operators:
        return operands[0]
    level = min(LEVELS[op] for op in operators)
    at = max(i for i, op in enumerate(operators) if LEVELS[op] == level)
    left, right = expected(operands[: at + 1], operators[:at]), expected(operands[at + 1 :], operators[at + 1 :])
    op = operators[at]
    return f"({left} {op} {right})" if op in ("AND", "OR") else f"({left}{op}{right})"


@given(st.lists(st.sampled_from("|^&+-*/"), max_size=8), st.lists(st.sampled_from(["AND", "OR"]), max_size=4))
@settings(deadline=None)
def test_precedence_and_left_association(signs, words):
    sides = [*signs, "=", *signs]
    operators = sides[:]
    for word in words:
        operators += [word, *sides]
    operands = [f"v{i}" for i in range(len(operators) + 1)]
    text = operands[0] + "".join(f" {op} {name}" for op, name in zip(operators, operands[1:], strict=True))
    assert expr_text(parsed(text)) == expected(operands, operators)


def test_a_nul_ends_an_expression():
    found = judge("filter", "a=1\0 AND (")
    assert (found.tree, found.warnings) == ("(a=1)", ("everything from a NUL character on was dropped",))


def test_nesting_costs_no_recursion():
    deep = 10_000
    assert judge("filter", "(" * deep + "a=1" + ")" * deep).tree == "(a=1)"
    assert judge("filter", "(" * deep + "a=1" + " OR a=1)" * deep).tree.startswith("((((")
    with pytest.raises(RequestError, match="nested deeper"):
        judge("filter", "f(" * deep + "a" + ")" * deep)
    with pytest.raises(RequestError, match="unexpected end of text"):
        judge("filter", "(" * deep)


@pytest.mark.parametrize("part", ["a=1 OR ", "! ", '"x" '])
def test_tokens_have_an_end(part):
    with pytest.raises(RequestError, match=f"more than {MAX_TOKENS} words and signs"):
        judge("filter", part * (MAX_TOKENS + 1))
