"""Query trees that the grammar can build, for hypothesis."""

from dataclasses import replace

from hypothesis import strategies as st

from havengate.types import Span
from query_parser.nodes import Chain, Fields, IndexTerm, NumberRange, Phrase, TermSet, Word

NOWHERE = Span(0, 0)
KEYWORDS = ("AND", "OR", "ANDNOT", "RANK")
NAMES = st.sampled_from(["a", "b", "_", "x1", "and", "ANDy", "Rank", "RANK_", "index_1"])
TEXTS = st.one_of(
    NAMES,
    st.sampled_from(
        [*KEYWORDS, "", "猫", "ｆｕｌｌ", "it's", 'say "x"', "a\\b", "\\", "&&", "a&n=1", "12", "-5", "+5", "1.5"]
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
)
INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


@st.composite
def ranges(draw):
    low, high = draw(st.none() | INT64), draw(st.none() | INT64)
    if low is None and high is None:
        high = draw(INT64)
    low_closed, high_closed = low is None or draw(st.booleans()), high is None or draw(st.booleans())
    first, last = -(2**63) if low is None else low, 2**63 - 1 if high is None else high
    if first > last:
        low, high, first, last = high, low, last, first
    if first == last:
        low_closed = high_closed = True
    return NumberRange(low, high, low_closed, high_closed, NOWHERE)


@st.composite
def cores(draw):
    words, phrases = TEXTS.map(lambda text: Word(text, NOWHERE)), TEXTS.map(lambda text: Phrase(text, NOWHERE))
    core = draw(words | phrases | ranges())
    boost, chain = draw(st.none() | INT32), draw(st.none() | NAMES)
    return replace(core, boost=boost, chain=chain, chain_first=draw(st.booleans()))


def several(items):
    return st.lists(items, min_size=2, max_size=3).map(tuple)


def term_sets(terms):
    least = st.none() | st.integers(0, 2**32 - 1)
    return st.builds(TermSet, st.sampled_from(["|", "&", "||"]), several(terms), st.just(NOWHERE), least)


def chains(queries):
    return st.builds(Chain, st.sampled_from(["", *KEYWORDS]), several(queries), st.just(NOWHERE))


FIELDS = st.builds(Fields, st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.booleans())
TERMS = st.recursive(cores(), term_sets, max_leaves=3)
INDEX_TERMS = st.one_of(
    st.builds(IndexTerm, st.none(), cores(), st.just(NOWHERE)),
    st.builds(IndexTerm, NAMES, TERMS, st.just(NOWHERE)),
    st.builds(IndexTerm, st.none() | NAMES, TERMS, st.just(NOWHERE), fields=FIELDS),
)


def labelled(queries):
    return st.builds(lambda query, label: replace(query, label=label), queries, st.none() | NAMES)


QUERIES = st.recursive(labelled(INDEX_TERMS), lambda queries: labelled(chains(queries)), max_leaves=3)
LAYERS = st.lists(QUERIES, min_size=1, max_size=2).map(tuple)
