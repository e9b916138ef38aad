"""Random query trees, and what they mean: from the top down, where the gateway works from the bottom up."""

from hypothesis import strategies as st
from plain_engine import SCHEMA, has_words

from havengate.types import And, AndNot, AtLeast, NumberTerm, Or, RankNode, TextTerm, VectorPayload, VectorTerm

NUMBERS = st.integers(-3, 3)
VECTORS = st.tuples(NUMBERS, NUMBERS).map(lambda pair: tuple(map(float, pair)))
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0, 2.0])
WORDS = st.lists(st.sampled_from("xyz"), max_size=3).map(" ".join)
FIELDS = {
    "title": WORDS,
    "body": WORDS,
    "shop": st.sampled_from(["s", "t"]),
    "size": NUMBERS,
    "near": VECTORS.map(list),
    "like": VECTORS.map(list),
}
WHOLE = st.fixed_dictionaries(FIELDS)
ROWS = st.lists(st.one_of(WHOLE, WHOLE, st.fixed_dictionaries({}, optional=FIELDS)), min_size=4, max_size=12).map(
    lambda rows: [{"id": key, **row} for key, row in enumerate(rows)]
)
NEAREST = st.builds(
    VectorTerm,
    st.sampled_from(["near", "like"]),
    st.lists(VECTORS, min_size=1, max_size=2).map(lambda vectors: VectorPayload(tuple(vectors))),
    n=st.integers(1, 6),
    weight=WEIGHTS,
)
PLAIN_TERMS = st.one_of(
    st.builds(
        TextTerm,
        st.sampled_from(["title", "words"]),
        st.sampled_from(["x", "y z", "x y z"]),
        phrase=st.booleans(),
        weight=WEIGHTS,
    ),
    st.builds(
        TextTerm,
        st.just("words"),
        st.sampled_from(["x", "y z"]),
        phrase=st.booleans(),
        weight=WEIGHTS,
        fields=st.sampled_from([(), ("body",), ("body", "title")]),
        all_fields=st.booleans(),
    ),
    st.builds(TextTerm, st.just("shop"), st.sampled_from("st"), weight=WEIGHTS),
    st.builds(
        NumberTerm,
        st.just("size"),
        st.integers(-3, 2),
        st.none() | st.just(3),
        include_low=st.booleans(),
        weight=WEIGHTS,
    ),
)


def trees_of(children):
    several = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        several.map(And),
        several.map(Or),
        st.builds(counted, several, st.integers(1, 3)),
        st.builds(AndNot, children, children),
        st.builds(RankNode, children, several),
    )


def counted(items, count):
    """Beside vectors only one or all may be asked for."""
    count = min(count, len(items))
    return AtLeast(items, 1 if any(map(has_vector, items)) and count < len(items) else count)


TREES = st.recursive(NEAREST | PLAIN_TERMS, trees_of, max_leaves=8)
PLAIN_TREES = st.recursive(PLAIN_TERMS, trees_of, max_leaves=5)


def matches(term, row):
    if isinstance(term, NumberTerm):
        value = row.get("size")
        above = value is not None and (value > term.low or (term.include_low and value == term.low))
        return above and (term.high is None or value <= term.high)
    if term.index == "shop":
        return row.get("shop") == term.text
    texts = [row.get(field, "") for field in term.fields or SCHEMA.term_indexes[term.index].fields]
    if term.all_fields:
        return all(has_words(text, term.text, term.phrase) for text in texts)
    if term.phrase:
        return any(has_words(text, term.text, True) for text in texts)
    return all(any(has_words(text, word, True) for text in texts) for word in term.text.split())


def has_vector(node):
    match node:
        case And(items) | Or(items) | AtLeast(items):
            return any(map(has_vector, items))
        case AndNot(keep, drop):
            return has_vector(keep) or has_vector(drop)
        case RankNode(keep, boosts):
            return has_vector(keep) or any(map(has_vector, boosts))
    return isinstance(node, VectorTerm)


def holds(node, row):
    """Of a tree without vectors."""
    match node:
        case And(items):
            return all(holds(item, row) for item in items)
        case Or(items):
            return any(holds(item, row) for item in items)
        case AtLeast(items, count):
            return sum(holds(item, row) for item in items) >= count
        case AndNot(keep, drop):
            return holds(keep, row) and not holds(drop, row)
        case RankNode(keep):
            return holds(keep, row)
    return matches(node, row)


class Judge:
    def __init__(self, rows):
        self.everything = {row["id"]: row for row in rows}

    def answer(self, node, allowed, path=()):  # noqa: C901, PLR0911  one for each kind
        """{id: {(boost, index): (score, what it adds to RANK)}} of the node's rows among the allowed ones."""
        if not has_vector(node):
            return {key: {} for key in allowed if holds(node, self.everything[key])}
        match node:
            case VectorTerm():
                return self.nearest(node, allowed)
            case AtLeast(items, count):
                return self.answer(And(items) if count == len(items) else Or(items), allowed, path)
            case And(items):
                narrowed = {
                    key
                    for key in allowed
                    if all(has_vector(item) or holds(item, self.everything[key]) for item in items)
                }
                return self.joined([self.answer(i, narrowed, (*path, n)) for n, i in enumerate(items) if has_vector(i)])
            case Or(items):
                return self.union([self.answer(item, allowed, (*path, n)) for n, item in enumerate(items)])
            case AndNot(keep, drop):
                beside = self.everything if has_vector(drop) else allowed
                dropped = self.answer(drop, beside, (*path, 1))
                if not has_vector(drop):
                    return self.answer(keep, {key for key in allowed if key not in dropped}, (*path, 0))
                kept = self.answer(keep, allowed, (*path, 0))
                return {key: scores for key, scores in kept.items() if key not in dropped}
            case RankNode(keep, boosts):
                found = {key: dict(one) for key, one in self.answer(keep, allowed, (*path, 0)).items()}
                for place, boost in enumerate(boosts, 1):
                    if has_vector(boost):
                        beside = self.everything if has_vector(keep) else set(found)
                        self.add_boost(found, self.answer(boost, beside, (*path, place)), (*path, place))
                return found
        raise AssertionError(node)

    @staticmethod
    def add_boost(found, boosted, path):
        for key in found.keys() & boosted.keys():
            for (boost, index), score in boosted[key].items():
                found[key][boost or path, index] = score

    def nearest(self, term, allowed):
        sign = 1 if term.index == "near" else -1
        scored = []
        for key in allowed:
            row = self.everything[key]
            if term.index in row:
                scored.append((sign * self.best(term, row), key))
        best = {key: sign * loss for loss, key in sorted(scored)[: term.n]}
        similar = {key: 1 / (1 + score) if term.index == "near" else score for key, score in best.items()}
        return {key: {((), term.index): (score, term.weight * similar[key])} for key, score in best.items()}

    @staticmethod
    def best(term, row):
        pairs = [list(zip(vector, row[term.index], strict=True)) for vector in term.payload.vectors]
        if term.index == "near":
            return min(sum((a - b) ** 2 for a, b in pair) for pair in pairs)
        return max(sum(a * b for a, b in pair) for pair in pairs)

    @staticmethod
    def joined(answers):
        both = set.intersection(*map(set, answers))
        found = {}
        for key in both:
            found[key] = {}
            for answer in answers:
                for name, (score, gain) in answer[key].items():
                    before = found[key].get(name, (0, 0))
                    found[key][name] = (before[0] + score, before[1] + gain)
        return found

    @staticmethod
    def union(answers):
        found = {}
        for answer in answers:
            for key, scores in answer.items():
                kept = found.setdefault(key, {})
                for name, (score, gain) in scores.items():
                    better = min if name[1] == "near" else max
                    before = kept.get(name, (score, gain))
                    kept[name] = (better(before[0], score), max(before[1], gain))
        return found

    def rank(self, node, key, scores):
        return sum(gain for _, gain in scores.values()) + self.gained(node, self.everything[key])

    def gained(self, node, row):
        match node:
            case TextTerm() | NumberTerm():
                return node.weight if matches(node, row) else 0
            case And(items) | Or(items) | AtLeast(items):
                return sum(self.gained(item, row) for item in items)
            case AndNot(keep):
                return self.gained(keep, row)
            case RankNode(keep, boosts):
                return sum(self.gained(part, row) for part in (keep, *boosts))
        return 0
