"""Runs the LALR tables that Lark makes of a grammar as Bison runs its own, in a fifth of the time of Lark's loop.

As in Bison a state's default reduction is taken before a token is called wrong, so that what a reduction has to say
(an impossible range) comes before what is wrong behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from lark import Lark
from lark.grammar import Rule, Terminal
from lark.parsers.lalr_analysis import Shift

END = "$END"

Make = Callable[[list[Any]], Any]
Token = TypeVar("Token")


class Unexpected(Exception, Generic[Token]):
    """No action for a token (None is the end); ``expected`` are the kinds that would go on."""

    def __init__(self, kind: str, token: Token | None, expected: set[str]) -> None:
        super().__init__(kind)
        self.kind, self.token, self.expected = kind, token, expected


@dataclass(frozen=True, slots=True)
class Reduction:
    """``size`` values become one ``origin``; ``make`` None leaves a single value as it is."""

    size: int
    origin: str
    make: Make | None


@dataclass(frozen=True, slots=True)
class Tables:
    """By state: what a token or a rule's result leads to (a state, or ``~n`` for reduction n), and the default."""

    actions: dict[int, dict[str, int]]
    defaults: dict[int, int | None]
    reductions: list[Reduction]
    start: int
    end: int
    jumps: dict[tuple[int, int, str], int] = field(default_factory=dict)
    """Where a run of reductions that change no value leads from a state, over the one below it, before a token."""

    def parse(self, tokens: Iterable[tuple[str, Token]], family: frozenset[str]) -> Any:
        """What the grammar's rules make of kinds and tokens; nothing recurses.

        Raises Unexpected; rules of ``family`` are one rule of the engine with declared precedences: what continues
        any of them is expected together.
        """
        states, values = [self.start], list[Any]()
        actions, advance = self.actions, self._advance
        for kind, token in tokens:
            action = actions[states[-1]].get(kind, -1)
            if action < 0 and (action := advance(states, values, kind)) < 0:
                raise Unexpected(kind, token, self._expected(states, family))
            states.append(action)
            values.append(token)
        if advance(states, values, END) < 0:
            raise Unexpected(END, None, self._expected(states, family))
        return values[-1]

    def _advance(self, states: list[int], values: list[Any], kind: str) -> int:
        """Reduces until a token of this kind can be taken; the state behind it, or -1 where none can."""
        actions, defaults, reductions = self.actions, self.defaults, self.reductions
        state = states[-1]
        while True:
            action = actions[state].get(kind)
            if action is None:
                action = defaults[state]
                if action is None:
                    return -1
            if action >= 0:
                return action
            rule = reductions[~action]
            make = rule.make
            if make is None:
                jump = (states[-2], state, kind)
                state = self.jumps.get(jump, -1)
                if state < 0:
                    state = self.jumps[jump] = self._jump(*jump)
                states[-1] = state
            else:
                cut = len(states) - rule.size
                children = values[cut - 1 :]
                del states[cut:], values[cut - 1 :]
                values.append(make(children))
                state = actions[states[-1]][rule.origin]
                states.append(state)
            if state == self.end and kind == END:
                return state

    def _jump(self, below: int, state: int, kind: str) -> int:
        while state != self.end:
            action = self.actions[state].get(kind, self.defaults[state])
            if action is None or action >= 0 or self.reductions[~action].make is not None:
                break
            state = self.actions[below][self.reductions[~action].origin]
        return state

    def _expected(self, states: list[int], family: frozenset[str]) -> set[str]:
        actions, last = self.actions, states[-1]
        ends = {last}
        siblings = {actions[before][name] for before in states[-2:-1] for name in family & actions[before].keys()}
        if last in siblings:
            ends = siblings
        found = {name for state in ends for name, action in actions[state].items() if action >= 0}
        return found | ({END} if last == self.end else set())


def load(name: str, start: str, builder: object) -> Tables:
    """The tables of a grammar file whose rules call the builder's methods; tokens named ``_…`` are left out."""
    grammar = Path(__file__).with_name(name).read_text(encoding="utf-8")
    lark: Any = Lark(grammar, start=start, parser="lalr", lexer="basic")
    table = lark.parser.parser.parser.parse_table
    rules = list(dict.fromkeys(arg for row in table.states.values() for act, arg in row.values() if act is not Shift))
    number = {rule: ~place for place, rule in enumerate(rules)}
    actions = {
        state: {str(name): arg if act is Shift else number[arg] for name, (act, arg) in row.items()}
        for state, row in table.states.items()
    }
    defaults = {state: _default(row.values()) for state, row in actions.items()}
    reductions = [Reduction(len(rule.expansion), str(rule.origin.name), _maker(rule, builder)) for rule in rules]
    return Tables(actions, defaults, reductions, table.start_states[start], table.end_states[start])


def _default(actions: Iterable[int]) -> int | None:
    reductions = Counter(action for action in actions if action < 0)
    return reductions.most_common(1)[0][0] if reductions else None


def _maker(rule: Rule, builder: object) -> Make | None:
    """What a rule makes of its symbols' values; repetitions stand in lists (of rules named ``_…``) until then."""
    kept = [
        (place, not symbol.is_term and symbol.name.startswith("_"))
        for place, symbol in enumerate(rule.expansion)
        if rule.options.keep_all_tokens or not (isinstance(symbol, Terminal) and symbol.filter_out)
    ]
    if rule.origin.name.startswith("_"):
        return _chosen(kept)
    first = kept[0][0]
    if rule.options.expand1 and not rule.alias and len(kept) == 1:
        return None if len(rule.expansion) == 1 else lambda values: values[first]
    method = getattr(builder, rule.alias or rule.origin.name)
    if len(kept) == 1:
        return lambda values: method(values[first])
    if len(kept) == len(rule.expansion) and not any(repeated for _, repeated in kept):
        return lambda values: method(*values)
    chosen = _chosen(kept)
    return lambda values: method(*chosen(values))


def _chosen(kept: list[tuple[int, bool]]) -> Make:
    (first, first_repeated), *rest = kept

    def choose(values: list[Any]) -> list[Any]:
        # A repetition grows by one at its end: with a new list for each the time would be quadratic.
        out: list[Any] = values[first] if first_repeated else [values[first]]
        for place, repeated in rest:
            if repeated:
                out.extend(values[place])
            else:
                out.append(values[place])
        return out

    return choose
