"""Loading the grammars, and the engine's words for a syntax error.

Bison takes default reductions before it notices that a token is wrong, and names what it expected only when
that is at most four tokens. Both are replayed here on Lark's LALR table, so that messages are the engine's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lark import Lark, TextSlice, Token, Transformer, UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_analysis import Shift
from lark.parsers.lalr_parser_state import ParserState

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span

_MOST_EXPECTED = 4
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Language:
    """A parser with its error code.

    ``names`` are the engine's names of the terminals, in the engine's order. In ``family`` are rules that one
    rule of the engine with declared precedences stands for: what continues them is expected together.
    """

    parser: Lark
    code: HaCode
    names: Mapping[str, str]
    family: frozenset[str] = frozenset()

    def parse(self, text: str, span: Span) -> Any:
        """What the transformer makes of text[span]; offsets stay those of ``text``. Raises RequestError."""
        try:
            return self.parser.parse(TextSlice(text, span.start, span.end))
        except UnexpectedToken as error:
            raise self._unexpected_token(error, span) from None
        except UnexpectedCharacters as error:
            at = error.pos_in_stream or 0
            word = _WORD.match(text, at, span.end)
            where = Span(at, at + 1) if word is None else Span(*word.span())
            message = f"syntax error, unexpected '{text[where.start : where.end][:40]}'"
            raise RequestError(message, code=self.code, span=where) from None

    def _unexpected_token(self, error: UnexpectedToken, span: Span) -> RequestError:
        token = error.token
        at_end = token.type == "$END"
        where = Span(span.end, span.end) if at_end else token_span(token)
        message = f"syntax error, unexpected {self.names.get(token.type, token.type)}"
        expected = self._expected(error.state) if isinstance(error.state, ParserState) else set()
        if 0 < len(expected) <= _MOST_EXPECTED:
            shown = [name for terminal, name in self.names.items() if terminal in expected]
            message += f", expecting {' or '.join(dict.fromkeys(shown))}"
        return RequestError(message, code=self.code, span=where)

    def _expected(self, state: ParserState[Any]) -> set[str]:
        table = state.parse_conf.states
        stack = list(state.state_stack)
        while rules := Counter(rule for action, rule in table[stack[-1]].values() if action is not Shift):
            rule = rules.most_common(1)[0][0]
            del stack[len(stack) - len(rule.expansion) :]
            stack.append(table[stack[-1]][rule.origin.name][1])
        ends = {stack[-1]}
        siblings = {table[before][name][1] for before in stack[-2:-1] for name in self.family & table[before].keys()}
        if stack[-1] in siblings:
            ends = siblings
        found = {name for end in ends for name, (action, _) in table[end].items() if action is Shift}
        return found & self.names.keys() | ({"$END"} if stack[-1] == state.parse_conf.end_state else set())


def load(name: str, start: str, transformer: Transformer[Token, Any]) -> Lark:
    """An LALR parser that calls the transformer as it reduces: no tree is built, nothing recurses."""
    grammar = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return Lark(grammar, start=start, parser="lalr", lexer="contextual", transformer=transformer)


def token_span(token: Token) -> Span:
    start = token.start_pos or 0
    return Span(start, start + len(token))
