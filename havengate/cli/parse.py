"""``havengate parse``: the engine's verdict on requests and clauses."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from havengate.codes import HaCode
from havengate.errors import HavengateError

if TYPE_CHECKING:
    from havengate.cli.lint import Linter


@click.command()
@click.argument("query", required=False)
@click.option("--batch", type=click.File("rb"), metavar="FILE|-", help='JSON lines: {"clause": …, "text": …}.')
@click.option(
    "--table", "tables", multiple=True, metavar="NAME[=FILE]", help="Check against this table, too (repeatable)."
)
def parse(query: str | None, batch: BinaryIO | None, tables: tuple[str, ...]) -> None:
    """Print what a HA3 request means, or what is wrong with it, without a search.

    One request is printed as JSON, clause by clause. --batch takes one JSON object a line and answers each with one
    line, at once: {"ok":true,"tree":…,"warnings":[…]} or {"ok":false,"code":…,"error":…,"message":…,"span":[…]},
    the span in characters of the text. "clause" is request, or any clause's key with what follows its "=" as text.
    The exit code is 1 if any line failed.

    Syntax is judged alone: nothing is looked up. With --table names, types and functions are checked as a search
    would; cluster names are looked up among these tables, of which the first is the default. NAME is a table of
    HAVENGATE_DATA_DIR, which a server may hold meanwhile; NAME=FILE takes the vendor's schema JSON instead.

    \b
    Examples:
      havengate parse "query=image_index:'cat&modal=text'&&filter=cate_id=1 AND price<3"
      havengate parse --table clothes "query=title:red&&sort=-price"
      echo '{"clause":"filter","text":"a+b<c AND d=10"}' | havengate parse --batch -
      havengate parse --table shoes=shoes.json --batch stored-queries.jsonl
    """  # noqa: D301  (click's \b keeps the lines)
    from havengate.cli.lint import linter

    if (query is None) == (batch is None):
        raise click.UsageError("give one of: a HA3 request, --batch FILE")
    judge = linter(tables)
    if query is not None:
        _show(query, judge)
    elif batch is not None and not _answer_all(batch, judge):
        raise click.exceptions.Exit(1)


def _show(query: str, judge: Linter) -> None:
    from havengate.cli.query import pointing_at
    from query_parser.parse import parse_request
    from query_parser.show import show_request

    with pointing_at(query):
        judged = judge.judge("request", query)
        shown = show_request(parse_request(query))
    if judged.warnings:
        shown["warnings"] = list(judged.warnings)
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


def _answer_all(lines: Iterable[bytes], judge: Linter) -> bool:
    """Whether every line was fine. Each is answered before the next is read, so that a pipe may wait for it."""
    out = sys.stdout.buffer
    fine = True
    for line in lines:
        answer = _answer(line, judge)
        fine = fine and answer["ok"]
        # A lone surrogate has no UTF-8; escaped it is JSON still.
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        out.write(text.encode("utf-8", "backslashreplace") + b"\n")
        out.flush()
    return fine


def _answer(line: bytes, judge: Linter) -> dict[str, Any]:
    text = ""
    try:
        clause, text = _asked(line)
        judged = judge.judge(clause, text)
    except HavengateError as error:
        span = [0, len(text)] if error.span is None else [error.span.start, error.span.end]
        return _failure(error.code, error.message, span)
    except Exception as error:  # noqa: BLE001  (one line must not cost the others their answers)
        return _failure(HaCode.GENERAL, f"unexpected {type(error).__name__}: {error}", [0, len(text)])
    return {"ok": True, "tree": judged.tree, "warnings": list(judged.warnings)}


def _failure(code: HaCode, message: str, span: list[int]) -> dict[str, Any]:
    return {"ok": False, "code": int(code), "error": code.name, "message": message, "span": span}


def _asked(line: bytes) -> tuple[str, str]:
    """The line's clause and text. Raises HavengateError for a line of another form."""
    form = '{"clause": "request", "text": "…"}'
    try:
        asked = json.loads(line.decode("utf-8-sig").strip())
    except (ValueError, RecursionError) as error:
        raise HavengateError(f"not a line of JSON like {form}: {error}") from None
    match asked:
        case {"clause": str(clause), "text": str(text)}:
            return clause, text
    raise HavengateError(f"clause and text must be texts, as in {form}")
