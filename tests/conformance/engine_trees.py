"""Query trees in the form in which the engine's own tests assert them: ``{ANDExpr: {WordsExpr: (i)'a'}, …}``."""

from query_parser.engine_terms import as_engine_reads
from query_parser.nodes import IndexTerm, NumberRange, Phrase, TermSet

NAMES = {"AND": "ANDExpr", "OR": "ORExpr", "ANDNOT": "ANDNotExpr", "RANK": "RankExpr"}
TERM_NAMES = {"&": "ANDExpr", "|": "ORExpr"}


def engine_tree(query, default_operator="AND", *, joins_terms=True):
    """joins_terms: the engine's switch that makes one node of a chain of terms."""
    label = "" if query.label is None else f"@{query.label}"
    if not isinstance(query, IndexTerm):
        items = [engine_tree(item, default_operator, joins_terms=joins_terms) for item in query.items]
        return pairs(NAMES[query.op or default_operator], items, label)
    index = query.index or "default"
    if joins_terms:
        return joined(as_engine_reads(query.terms), index, label)
    return paired(query.terms, index, label)


def paired(terms, index, label):
    if not isinstance(terms, TermSet):
        return core(terms, index, label)
    return pairs(TERM_NAMES.get(terms.op, "ORExpr"), [paired(item, index, "") for item in terms.items], label)


def joined(terms, index, label):
    if not isinstance(terms, TermSet):
        return core(terms, index, label)
    items = [joined(item, index, "") for item in terms.items]
    if any(isinstance(item, TermSet) for item in terms.items):
        return pairs(TERM_NAMES[terms.op], items, label)
    name = TERM_NAMES.get(terms.op) or f"{terms.min_match}{{WEAKANDExpr"
    return f"{name if terms.min_match else '{' + name}{label}: {', '.join(items)}}}"


def pairs(name, items, label):
    whole, *rest = items
    for place, item in enumerate(rest, 1):
        whole = f"{{{name}{label if place == len(rest) else ''}: {whole}, {item}}}"
    return whole


def core(term, index, label):
    match term:
        case NumberRange(low, high):
            opener, closer = "[" if term.low_closed else "(", "]" if term.high_closed else ")"
            low, high = -(2**63) if low is None else low, 2**63 - 1 if high is None else high
            return f"{{NumberExpr{label}: ({index}){opener}{low}, {high}{closer}}}"
        case Phrase(text):
            return f'{{PhraseExpr{label}: ({index})"{text}"}}'
    return f"{{WordsExpr{label}: ({index})'{term.text}'}}"
