"""What reading a HA3 request costs, beside parsers of two other query languages in the same run.

A typical request and one with a picture of 1 MB, parsed and planned; how the time grows with the number of terms of a
query and of a filter; and the query beside luqum (Lucene's syntax, the very same text), the filter beside pygeofilter
(ECQL, the same text but for its quotes). CPU time, the best of several rounds, in milliseconds.

    pip install '.[bench]' && python bench/parse.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import lark
from luqum.parser import parser as luqum
from pygeofilter.parsers.ecql import parse as pygeofilter

from havengate.bind import bind
from havengate.cli.lint import Linter, linter
from havengate.codes import HaCode
from havengate.types import Span
from query_parser.expr import parse_expr
from query_parser.parse import parse_request
from query_parser.plan import plan_request
from query_parser.query import parse_query
from schemas.templates import template

TABLE = "photos"
FIELDS = ({"field_name": "price", "field_type": "INT64"}, {"field_name": "brand", "field_type": "STRING"})
REQUEST = (
    "config=start:0,hit:10,format:json&&cluster=general&&query=vector:'{}&n=10&search_params={{}}'"
    '&&filter=cate_id=1 AND price>3 AND (price<100 OR brand="x")&&sort=+RANK;-id'
    "&&kvpairs=__ops_request_id:28634f0f,formula:proxima_score(vector)"
    "&&aggregate=group_key:cate_id,agg_fun:count()#max(price)"
)
PICTURE_BYTES = 750_000
SIZES = (10, 100, 1000, 10_000)
OTHERS_SIZES = (10, 100, 1000)
MIN_S = 0.05


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Of one call. The collector rests, as in timeit: otherwise whose turn it is depends on who came before."""
    work()
    started = time.process_time()
    work()
    times = max(1, int(MIN_S / max(time.process_time() - started, 1e-6)))
    best = float("inf")
    gc.disable()
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(times):
            work()
        best = min(best, (time.process_time() - started) / times)
        gc.collect()
    gc.enable()
    return best * 1000


def turns(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Several works in turns, so that all see the same machine."""
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for place, work in enumerate(works):
            best[place] = min(best[place], milliseconds(work, 1))
    return best


def table() -> Linter:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schema.json"
        file.write_text(json.dumps(template("base64", extra_fields=FIELDS).to_json()))
        return linter((f"{TABLE}={file}",))


def planned(text: str, known: Linter) -> object:
    spec = known.tables[TABLE]
    plan = plan_request(parse_request(text), lambda *_: spec, index_aliases=known.index_aliases, window=known.window)
    return bind(plan, spec.schema, window=known.window)


def query(terms: int) -> str:
    """``(title:w1 OR brand:w2) AND …``, in Lucene's syntax as in HA3's."""
    return " AND ".join(f"(title:w{i} OR brand:w{i + 1})" for i in range(terms // 2))


def condition(terms: int, quote: str) -> str:
    """``(price<1 OR brand="w2") AND …``."""
    return " AND ".join(f"(price<{i} OR brand={quote}w{i}{quote})" for i in range(terms // 2))


def read_query(text: str) -> object:
    return parse_query(text, Span(0, len(text)), [])


def read_filter(text: str) -> object:
    return parse_expr(text, Span(0, len(text)), HaCode.FILTER_CLAUSE, [])


def requests(rounds: int) -> None:
    known = table()
    picture = base64.b64encode(bytes(range(256)) * (PICTURE_BYTES // 256)).decode()
    texts = {
        "typical request": REQUEST.format("motorcycle helmet&modal=text"),
        "picture of 1 MB": REQUEST.format(f"{picture}&modal=image"),
    }
    print(f"{'':16} {'parse':>8} {'parse, plan, bind':>18}")
    for name, text in texts.items():
        alone = milliseconds(partial(parse_request, text), rounds)
        whole = milliseconds(partial(planned, text, known), rounds)
        print(f"{name:16} {alone:8.3f} {whole:18.3f}")


def growth(rounds: int) -> None:
    print(f"\n{'terms':>7} {'query':>9} {'us a term':>10} {'filter':>9} {'us a term':>10}")
    for size in SIZES:
        works = partial(read_query, query(size)), partial(read_filter, condition(size, '"'))
        took = [milliseconds(work, rounds) for work in works]
        print(f"{size:7} " + " ".join(f"{ms:9.3f} {ms / size * 1000:10.2f}" for ms in took))


def beside_others(rounds: int) -> None:
    print(f"\n{'terms':>7} {'query':>9} {'filter':>9} {'luqum':>9} {'pygeofilter':>12} {'query':>7} {'filter':>7}")
    for size in OTHERS_SIZES:
        took = turns(
            [
                partial(read_query, query(size)),
                partial(read_filter, condition(size, '"')),
                partial(luqum.parse, query(size)),
                partial(pygeofilter, condition(size, "'")),
            ],
            rounds,
        )
        fastest = min(took[2:])
        ratios = f"{took[0] / fastest:7.2f} {took[1] / fastest:7.2f}"
        print(f"{size:7} {took[0]:9.3f} {took[1]:9.3f} {took[2]:9.3f} {took[3]:12.3f} {ratios}")
    print("the last two columns: ours / the faster of the two")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    # pygeofilter makes Lark tell of every conflict that a grammar resolves.
    lark.logger.setLevel(logging.CRITICAL)
    requests(rounds)
    growth(rounds)
    beside_others(rounds)


if __name__ == "__main__":
    main()
