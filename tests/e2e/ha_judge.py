"""What HA3 requests mean, in plain Python over plain rows: expressions, trees, sorting, distinct and aggregates.

Everything is a tuple, its kind first, which ``text_of`` writes as HA3 and the others judge.
"""

from functools import cmp_to_key
from itertools import product

ALL = 100
"""More than any table here has rows: a vector term with it leaves none out."""


# --- expressions ---------------------------------------------------------------------------------


def expr_text(expr):
    match expr:
        case str() | int() | float():
            return str(expr)
        case ("text", value):
            return f'"{value}"'
        case (op, left, right):
            blank = " " if op in ("AND", "OR") else ""
            return f"({expr_text(left)}{blank}{op}{blank}{expr_text(right)})"
    raise AssertionError(expr)


def value_of(expr, row):
    """A str names a field; None where a field has no value."""
    match expr:
        case str():
            return row.get(expr)
        case int() | float():
            return expr
        case ("text", value):
            return value
        case (op, left, right):
            a, b = value_of(left, row), value_of(right, row)
            if a is None or b is None:
                return None
            return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "&": lambda: a & b}[op]()
    raise AssertionError(expr)


def holds(condition, row):
    """Whether a row passes; of a missing value nothing holds, of several values one is enough."""
    match condition:
        case ("AND", left, right):
            return holds(left, row) and holds(right, row)
        case ("OR", left, right):
            return holds(left, row) or holds(right, row)
        case (op, left, right):
            a, b = value_of(left, row), value_of(right, row)
            if a is None or b is None or a == []:
                return False
            if isinstance(a, list):
                return b not in a if op == "!=" else any(_compares(op, one, b) for one in a)
            return _compares(op, a, b)
    raise AssertionError(condition)


def variable(expr, row):
    """A truth is 1 or 0."""
    truth = isinstance(expr, tuple) and expr[0] not in ("+", "-", "*", "&")
    return int(holds(expr, row)) if truth else value_of(expr, row)


def _compares(op, a, b):
    return {"=": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


# --- the query -----------------------------------------------------------------------------------


def query_text(node):
    match node:
        case ("vector", index, (x, y), n, boost):
            return f"{index}:'{x},{y}&n={n}'{_boost_text(boost)}"
        case ("words", index, fields, text, boost):
            return f"{index}{fields}:{text}{_boost_text(boost)}"
        case ("size", bounds, boost):
            return f"all_sizes:{bounds}{_boost_text(boost)}"
        case ("least", words, count):
            return f"titles:({'||'.join(map(repr, words))})^{count}"
        case (op, *items):
            return f"({f' {op} '.join(map(query_text, items))})"
    raise AssertionError(node)


def _boost_text(boost):
    return "" if boost == ALL else f"^{boost}"


def match(node, row, path=()):  # noqa: PLR0911  one for each kind
    """None where a row does not match, else {slot: what the vector terms add to RANK}.

    Terms on one vector index share a slot, and a boost has its own.
    """
    match node:
        case ("vector", index, at, _, boost):
            return {index: boost / 100 * similarity(index, at, row[index])} if index in row else None
        case ("words", index, fields, text, _):
            return {} if has_words(row, index, fields, text) else None
        case ("size", bounds, _):
            return {} if "size" in row and in_bounds(row["size"], bounds) else None
        case ("least", words, count):
            return {} if sum(word in row.get("title", "").split() for word in words) >= count else None
        case ("ANDNOT", keep, drop):
            return match(keep, row, path) if match(drop, row, path) is None else None
        case ("RANK", keep, *boosts):
            return _ranked(match(keep, row, (*path, 0)), boosts, row, path)
        case (op, *items):
            return _joined(op, [match(item, row, (*path, place)) for place, item in enumerate(items)])
    raise AssertionError(node)


def gained(node, row):
    """The boosts of the terms of words and numbers that a row matches, but of those that take rows away."""
    match node:
        case ("vector", *_):
            return 0
        case ("words" | "size", *_, boost):
            return 0 if match(node, row) is None else boost / 100
        case ("least", words, _):
            return sum(word in row.get("title", "").split() for word in words)
        case ("ANDNOT", keep, _):
            return gained(keep, row)
        case (_, *items):
            return sum(gained(item, row) for item in items)
    raise AssertionError(node)


def rank(node, row):
    """None where a row does not match."""
    found = match(node, row)
    return None if found is None else sum(found.values()) + gained(node, row)


def _joined(op, answers):
    there = [answer for answer in answers if answer is not None]
    if not there or (op == "AND" and len(there) < len(answers)):
        return None
    found = {}
    for answer in there:
        for slot, gain in answer.items():
            both = (found[slot], gain) if slot in found else (gain,)
            found[slot] = sum(both) if op == "AND" else max(both)
    return found


def _ranked(kept, boosts, row, path):
    if kept is None:
        return None
    for place, boost in enumerate(boosts, 1):
        added = match(boost, row, (*path, place)) or {}
        kept |= {(path, place, slot): gain for slot, gain in added.items()}
    return kept


def similarity(index, at, vector):
    if index == "near":
        return 1 / (1 + sum((a - b) ** 2 for a, b in zip(at, vector, strict=True)))
    return sum(a * b for a, b in zip(at, vector, strict=True))


def has_words(row, index, fields, text):
    """A word in single quotes, a phrase in double ones; ``(a,b)`` in all of these fields, ``[a,b]`` in any."""
    if index == "shops":
        return row.get("shop") == text[1:-1]
    where = fields[1:-1].split(",") if fields else {"titles": ["title"], "words": ["title", "body"]}[index]
    texts = [row.get(field, "").split() for field in where]
    sought = text[1:-1].split()
    runs = [sought] if text[0] == '"' else [[word] for word in sought]
    if fields.startswith("("):
        return all(_has_run(words, run) for words in texts for run in runs)
    return all(any(_has_run(words, run) for words in texts) for run in runs)


def _has_run(words, run):
    return any(words[start : start + len(run)] == run for start in range(len(words) - len(run) + 1))


def in_bounds(value, bounds):
    """``3``, ``=3``, ``>3``, ``[1,3)``, ``(,3]``."""
    for sign in (">=", "<=", ">", "<", "="):
        if bounds.startswith(sign):
            return _compares(sign, value, int(bounds.removeprefix(sign)))
    if bounds[0] not in "[(":
        return value == int(bounds)
    low, high = bounds[1:-1].split(",")
    above = not low or _compares({"[": ">=", "(": ">"}[bounds[0]], value, int(low))
    return above and (not high or _compares({"]": "<=", ")": "<"}[bounds[-1]], value, int(high)))


# --- the rows ------------------------------------------------------------------------------------


def sorted_rows(rows, sort):
    """``sort``: (expression, descending) pairs. Missing values last, ties by key."""

    def compare(a, b):
        for expr, descending in sort:
            left, right = value_of(expr, a), value_of(expr, b)
            if left == right:
                continue
            if left is None or right is None:
                return 1 if left is None else -1
            return -1 if (left < right) != descending else 1
        return a["id"] - b["id"]

    return sorted(rows, key=cmp_to_key(compare))


def distinct_text(spec):
    parts = [f"dist_key:{expr_text(spec['dist_key'])}"]
    parts += [f"{name}:{spec[name]}" for name in ("dist_count", "dist_times") if name in spec]
    parts += [f"{name}:{str(spec[name]).lower()}" for name in ("reserved", "update_total_hit") if name in spec]
    if "dist_filter" in spec:
        parts.append(f"dist_filter:{expr_text(spec['dist_filter'])}")
    if "grade" in spec:
        parts.append(f"grade:{'|'.join(map(str, spec['grade']))}")
    return ",".join(parts)


def distinct(rows, spec, first):
    """Sorted rows, grade by grade and round by round; ``first`` is the first sort pair."""
    expr, descending = first
    grades = {}
    for row in rows:
        value = value_of(expr, row)
        reached = 0 if value is None else sum(limit <= value for limit in sorted(spec.get("grade", ())))
        missing_last = value is None and "grade" in spec
        grades.setdefault((missing_last, -reached if descending else reached), []).append(row)
    return [row for grade in sorted(grades) for row in _rounds(grades[grade], spec)]


def _rounds(rows, spec):
    count, times = spec.get("dist_count", 1), spec.get("dist_times", 1)
    rounds, seen = {}, {}
    for row in rows:
        key = value_of(spec["dist_key"], row)
        turn = 0
        if key is not None and not ("dist_filter" in spec and holds(spec["dist_filter"], row)):
            seen[key] = seen.get(key, 0) + 1
            turn = min((seen[key] - 1) // count, times)
        rounds.setdefault(turn, []).append(row)
    kept = sorted(turn for turn in rounds if turn < times or spec.get("reserved", True))
    return [row for turn in kept for row in rounds[turn]]


# --- aggregates ----------------------------------------------------------------------------------


def aggregate_text(spec):
    keys = [expr_text(key) for key in spec["keys"]]
    parts = [f"group_key:{keys[0] if len(keys) == 1 else '[' + ','.join(keys) + ']'}"]
    calls = (f"{name}({'' if value is None else expr_text(value)})" for name, value in spec["functions"])
    parts.append(f"agg_fun:{'#'.join(calls)}")
    if "range" in spec:
        parts.append(f"range:{'~'.join(map(str, spec['range']))}")
    if "agg_filter" in spec:
        parts.append(f"agg_filter:{expr_text(spec['agg_filter'])}")
    if "max_group" in spec:
        parts.append(f"max_group:{spec['max_group']}")
    return ",".join(parts)


def aggregate(rows, spec):
    """The groups as (keys, values), and how many there are beyond max_group, too."""
    members = {}
    for row in rows:
        if "agg_filter" in spec and not holds(spec["agg_filter"], row):
            continue
        choices = [_choices(value_of(key, row)) for key in spec["keys"]]
        if "range" in spec:
            choices = [{sum(limit <= value for limit in spec["range"]) for value in choices[0]}]
        for keys in product(*choices):
            members.setdefault(keys, []).append(row)
    order = sorted(members, key=lambda keys: (-len(members[keys]), keys))
    shown = order[: spec["max_group"] if spec.get("max_group", 0) > 0 else None]
    found = [
        (_named(keys, spec), tuple(_computed(name, value, members[keys]) for name, value in spec["functions"]))
        for keys in shown
    ]
    return found, len(order)


def _choices(value):
    return set() if value is None else set(value) if isinstance(value, list) else {value}


def _named(keys, spec):
    if "range" not in spec:
        return keys
    ends = ("", *spec["range"], "")
    return (f"{ends[keys[0]]}~{ends[keys[0] + 1]}",)


def _computed(name, expr, rows):
    if name == "count":
        return len(rows)
    values = [value for row in rows for value in _choices(value_of(expr, row))]
    if name == "distinct_count":
        return len(set(values))
    return {"max": max, "min": min, "sum": sum}[name](values) if values else None
