"""What a request says that has no effect here: lines for its trace, and warnings where an order would be another."""

from __future__ import annotations

from collections.abc import Iterator

from query_parser.request import HaRequest

_USED = frozenset(
    {
        "start",
        "hit",
        "format",
        "cluster",
        "kvpairs",
        "default_index",
        "default_operator",
        "trace",
        "timeout",
        "no_summary",
        "fetch_summary_type",
    }
)
_DEFAULT_SORTER = "DEFAULT"


def idle_parts(request: HaRequest) -> Iterator[str]:
    """One line for each config key and clause without effect, in the order of the engine's parser."""
    for key in request.config.values:
        if key not in _USED:
            yield f"config {key} has no effect here: {_why(key)}"
    yield from _ranking(request)
    yield from _execution(request)


def reordering_parts(request: HaRequest) -> Iterator[str]:
    """What would put the rows into another order in the engine."""
    if request.rank_sort:
        yield "rank_sort has no effect here: the rows stand in the order of the sort clause"
    final = request.final_sort
    if final is not None and final.name != _DEFAULT_SORTER:
        yield f"final_sort {final.name} has no effect here: the rows stand in the order of the sort clause"


def _why(key: str) -> str:
    match key:
        case "rank_size" | "total_rank_size" | "rerank_size" | "total_rerank_size" | "research_threshold":
            return "every row of the pool is ranked"
        case "analyzer" | "no_tokenize_indexes":
            return "words are cut by one rule"
        case "sub_doc" | "join_type" | "get_all_sub_doc":
            return "rows have no sub-documents and tables are not joined"
        case "qrs_chain" | "summary_profile":
            return "there is one way to answer"
        case _:
            return "there is nothing of the kind"


def _ranking(request: HaRequest) -> Iterator[str]:
    if request.rank is not None:
        yield "rank has no effect here: RANK is the similarity, or the formula of kvpairs"
    if request.rank_sort:
        yield "rank_sort has no effect here"
    if request.final_sort is not None:
        yield "final_sort has no effect here"


def _execution(request: HaRequest) -> Iterator[str]:
    given = {
        "healthcheck": request.health_check is not None,
        "layer": bool(request.query_layers),
        "searcher_cache": request.searcher_cache is not None,
        "optimizer": request.optimizer is not None,
        "level": request.level is not None,
        "analyzer": request.analyzer is not None,
    }
    reasons = {
        "layer": "every row is searched",
        "searcher_cache": "nothing is cached",
        "level": "a search has one table",
        "analyzer": "words are cut by one rule",
    }
    for clause, stands in given.items():
        if stands:
            reason = f": {reasons[clause]}" if clause in reasons else ""
            yield f"{clause} has no effect here{reason}"
