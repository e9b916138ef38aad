"""Commands about queries: run, explain."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.types import Group, SearchPlan, SearchResult


@click.command()
@click.argument("query", required=False)
@click.option("--table", "table_name", help="Table to search (with --text or --image).")
@click.option("--text", help="Words to search by.")
@click.option("--image", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Picture to search by.")
@click.option("--hits", type=click.IntRange(1), show_default="10", help="Rows to show (with --text or --image).")
@click.option("--json", "as_json", is_flag=True, help="Print the hits, then each aggregate, as JSON lines.")
def search(  # noqa: PLR0917  (click passes them by name)
    query: str | None, table_name: str | None, text: str | None, image: Path | None, hits: int | None, as_json: bool
) -> None:
    """Search with a HA3 string, with words, or with a picture.

    \b
    Examples:
      havengate search "query=image_index:'motorcycle helmet&modal=text&n=10'&&cluster=general"
      havengate search --table clothes --text 红裙子
      havengate search --table clothes --image shoe.jpg
    """  # noqa: D301
    from havengate.cli.common import open_folder

    if sum(given is not None for given in (query, text, image)) != 1:
        raise click.UsageError("give one of: a HA3 string, --text, --image")
    if query is not None and (table_name is not None or hits is not None):
        raise click.UsageError(
            "--table and --hits go with --text or --image; a HA3 string says cluster= and hit: itself"
        )
    request = as_request(query or "")
    with open_folder() as services, pointing_at(request):
        if query is None:
            plan = _simple_plan(services, table_name, text, image, 10 if hits is None else hits)
        else:
            plan = _ha_plan(services, request)
        result = services.searcher.search(plan)
    _print_result(result, as_json)


@click.command()
@click.argument("query")
@click.option("--profile", is_flag=True, help="Run it, too, and print what the engine says it took.")
def explain(query: str, profile: bool) -> None:
    """Print the plan of a HA3 string, and what the engine is asked for it.

    The plan is what POST /v1/tables/{table}/search takes. Under "engine" stands each search that the plan becomes:
    request bodies for OpenSearch, words for the embedded engine. Vectors and pictures are cut.

    Example: havengate explain "query=image_index:'cat&modal=text&n=5'&&cluster=general"
    """
    from havengate.bind import bind
    from havengate.cli.common import open_folder, printable
    from havengate.plan_json import plan_to_json

    request = as_request(query)
    with open_folder() as services, pointing_at(request):
        plan = _ha_plan(services, request)
        schema = services.engine.table(plan.table).schema
        bound = bind(plan, schema, window=services.settings.limits.window)
        engine = services.searcher.explain(plan, profile=profile)
    told = {"plan": plan_to_json(bound, whole_pictures=False), "engine": engine}
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    for warning in plan.warnings:
        click.echo(printable(f"warning: {warning}"), err=True)


def as_request(query: str) -> str:
    """A whole HA3 request; a bare query clause, as the vendor's console takes it, gets ``query=`` in front."""
    from query_parser.parse import parse_request

    try:
        parse_request(query)
    except RequestError as error:
        if error.code in (HaCode.UNKNOWN_CLAUSE, HaCode.KEY_VALUE_PAIR):
            return f"query={query}"
    return query


@contextmanager
def pointing_at(query: str) -> Iterator[None]:
    """Errors inside carry the engine's code and an excerpt of the query with carets."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{int(error.code)} {error.pointed(query)}", code=error.code) from error


def _ha_plan(services: Services, request: str) -> SearchPlan:
    from havengate.services import plan_of
    from query_parser.parse import parse_request

    return plan_of(services, parse_request(request))


def _simple_plan(
    services: Services, table_name: str | None, text: str | None, image: Path | None, hits: int
) -> SearchPlan:
    from havengate.types import PicturePayload, Rank, SearchPlan, SortKey, TextPayload, VectorTerm

    spec = services.tables.resolve(table_name)
    modelled = [index for index in spec.schema.vector_indexes.values() if index.model is not None]
    if not modelled:
        raise RequestError(f"table {spec.name!r} has no index that a model fills; search it by a HA3 string")
    index = modelled[0]
    payload = TextPayload(text) if text is not None else PicturePayload(_read_base64(image))
    return SearchPlan(
        table=spec.name,
        query=VectorTerm(index.name, payload, n=hits),
        rank=Rank(index.name),
        sort=(SortKey(None, descending=index.distance == "InnerProduct"),),
        limit=hits,
    )


def _read_base64(image: Path | None) -> str:
    return "" if image is None else base64.b64encode(image.read_bytes()).decode()


def _print_result(result: SearchResult, as_json: bool) -> None:
    from havengate.cli.common import printable

    for line in _json_lines(result) if as_json else map(printable, _lines(result)):
        click.echo(line)
    for line in summary(result):
        click.echo(printable(line), err=True)


def _json_lines(result: SearchResult) -> Iterator[str]:
    for hit in result.hits:
        shown = {**hit.fields, **hit.variables}
        yield json.dumps({"id": hit.pk, "score": hit.score, "fields": shown}, ensure_ascii=False)
    for keys, functions, found in _aggregates(result):
        groups = [[*group.keys, *group.values] for group in found]
        yield json.dumps({"keys": keys, "functions": functions, "groups": groups}, ensure_ascii=False)


def _lines(result: SearchResult) -> Iterator[str]:
    for place, hit in enumerate(result.hits, 1):
        score = "" if hit.score is None else f"{hit.score:.4f}"
        fields = "  ".join(f"{name}={excerpt(str(value))}" for name, value in {**hit.fields, **hit.variables}.items())
        yield f"{place:>3}  {score:>8}  {fields}"
    for names, functions, groups in _aggregates(result):
        for group in groups:
            shown = zip([*names, *functions], [*group.keys, *group.values], strict=True)
            yield "  ".join(f"{name}={excerpt(str(value))}" for name, value in shown)


def _aggregates(result: SearchResult) -> Iterator[tuple[list[str], list[str], Sequence[Group]]]:
    """Names of the keys and of the functions, and the groups that have values for them."""
    from gateway.values import function_text
    from havengate.expr import operand_text

    for found in result.aggregations:
        yield [*map(operand_text, found.aggregate.keys)], [*map(function_text, found.aggregate.functions)], found.groups


def summary(result: SearchResult) -> Sequence[str]:
    """The certificates and warnings of an answer, a line each."""
    lines = [
        f"certificate: {c.returned} of {c.matched} matching rows in the pool of {c.index} "
        f"(n={c.requested}, {c.strategy}{', cut by ' + c.cut_by if c.cut_by else ''})"
        for c in result.certificates
    ]
    return [*lines, *(f"warning: {warning}" for warning in result.warnings)]
