"""Plans as JSON for hypothesis: well formed, over the table of data/searches.json, and mostly wrong about it."""

from hypothesis import strategies as st

FIELDS = st.sampled_from(["price", "stock", "brand", "title", "sizes", "labels", "tags", "tags.fits", "place", "no"])
INDEXES = st.sampled_from(["places", "words", "texts", "brands", "prices", "all_sizes", "no"])
TEXTS = st.sampled_from(["", "头盔", "aq", "red gloves", "a" * 70, "\x00", "%", "𠀀"])
WHOLE = st.sampled_from([0, 1, -1, 58, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**400])
NUMBERS = WHOLE | st.sampled_from([0.0, -0.0, 0.5, 20.5, 1e308, -1e308, 5e-324])
SCALARS = TEXTS | NUMBERS
FLAGS = st.booleans()
COMPARISONS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
FUNCTIONS = st.sampled_from(["count", "sum", "max", "min", "distinct_count"])


def of(kind, **parts):
    return st.fixed_dictionaries({kind: st.fixed_dictionaries(parts)})


def listed(items, least=1, most=3):
    return st.lists(items, min_size=least, max_size=most)


def at_least(items):
    return of("atleast", count=st.integers(0, 3), items=listed(items))


def chain(kind, items, least=1):
    return st.fixed_dictionaries({kind: listed(items, least)})


def arithmetic(sides):
    calls = of("call", name=st.sampled_from(["pow", "log", "fieldlen", "to_string", "distance"]), args=listed(sides))
    return calls | of("arith", op=st.sampled_from(list("+-*/&|^")), left=sides, right=sides)


OPERANDS = st.recursive(SCALARS | st.fixed_dictionaries({"field": FIELDS}), arithmetic, max_leaves=4)
BYS = FIELDS | arithmetic(OPERANDS)
ENDS = {"low": st.none() | NUMBERS, "high": st.none() | NUMBERS, "include_low": FLAGS, "include_high": FLAGS}
LEAVES = st.one_of(
    of("compare", op=COMPARISONS, left=OPERANDS, right=OPERANDS),
    of("in", field=FIELDS, values=listed(SCALARS)),
    of("range", field=FIELDS, **ENDS),
    of("contains", field=FIELDS, value=SCALARS),
    of("exists", field=FIELDS),
    of("match", field=FIELDS, text=TEXTS, phrase=FLAGS),
)
CONDITIONS = st.recursive(
    LEAVES, lambda c: chain("and", c) | chain("or", c) | at_least(c) | st.fixed_dictionaries({"not": c}), max_leaves=4
)
WEIGHTS = st.sampled_from([0, 2.5, -1])
VECTORS = of("vector", index=INDEXES, vectors=st.just([[1, 0]]), n=st.integers(0, 5), weight=WEIGHTS)
NAMES = st.lists(FIELDS, max_size=2)
TERMS = (
    VECTORS
    | of("text", index=INDEXES, text=TEXTS, phrase=FLAGS, weight=WEIGHTS)
    | of("text", index=INDEXES, text=TEXTS, fields=NAMES, all_fields=FLAGS)
    | of("number", index=INDEXES, **ENDS)
)
QUERIES = st.recursive(
    TERMS,
    lambda c: (
        chain("and", c)
        | chain("or", c)
        | at_least(c)
        | chain("rank", c, 2)
        | st.fixed_dictionaries({"andnot": listed(c, 2, 2)})
    ),
    max_leaves=4,
)
CALLS = st.fixed_dictionaries({"name": FUNCTIONS}, optional={"value": BYS})
AGGREGATES = st.fixed_dictionaries(
    {"keys": listed(BYS), "functions": listed(CALLS)},
    optional={"ranges": listed(NUMBERS, 0), "filter": CONDITIONS, "max_group": st.integers(0, 3)},
)
DISTINCTS = st.fixed_dictionaries(
    {"key": BYS},
    optional={
        "count": WHOLE,
        "times": WHOLE,
        "reserved": FLAGS,
        "filter": CONDITIONS,
        "update_total": FLAGS,
        "grades": listed(NUMBERS, 0),
    },
)
SORTS = listed(st.fixed_dictionaries({"by": st.just("RANK") | BYS, "descending": FLAGS}))
VARIABLES = listed(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "price", ""]), "value": OPERANDS | CONDITIONS},
    )
)
PARTS = {
    "query": QUERIES,
    "filter": CONDITIONS,
    "sort": SORTS,
    "distinct": DISTINCTS | listed(DISTINCTS),
    "aggregates": listed(AGGREGATES),
    "variables": VARIABLES,
    "timeout_s": st.sampled_from([0, -1, 60, 1e300]),
}
PLANS = st.one_of(
    *(st.fixed_dictionaries({name: part}) for name, part in PARTS.items()), st.fixed_dictionaries({}, optional=PARTS)
)
