"""The engine's edge: the client's exceptions and the cluster's errors become havengate's, with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opensearchpy import exceptions

from havengate.codes import HaCode
from havengate.errors import Busy, EngineError, HavengateError, RequestError, UnknownTable

_UNKNOWN = ("index_not_found_exception", "alias_not_found_exception", "aliases_not_found_exception")
_ADVICE = {
    "cluster_block_exception": "the cluster refuses writes; free some disk space or lift the block",
    "es_rejected_execution_exception": "the cluster is overloaded; try again later or add nodes",
    "opensearch_rejected_execution_exception": "the cluster is overloaded; try again later or add nodes",
    "circuit_breaking_exception": "the cluster is short of memory; ask for less or give it more",
    "search_phase_execution_exception": "some shards cannot answer; look at _cluster/health",
    "unavailable_shards_exception": "some shards cannot answer; look at _cluster/health",
    "mapper_parsing_exception": "the index has another mapping than this table; make the table again",
    "strict_dynamic_mapping_exception": "the index has another mapping than this table; make the table again",
}
_WRITE_BLOCK = "FORBIDDEN/8/"
"""The block index.blocks.write; a full disk is another one."""
_BAD_REQUEST = 400
_TOO_LARGE = 413
PASSING_STATUS = (502, 503, 504)
_PASSING = {
    "node_disconnected_exception",
    "node_not_connected_exception",
    "node_closed_exception",
    "connect_transport_exception",
    "send_request_transport_exception",
    "receive_timeout_transport_exception",
    "no_shard_available_action_exception",
    "shard_not_found_exception",
    "illegal_index_shard_state_exception",
    "search_context_missing_exception",
    "unavailable_shards_exception",
    "cluster_manager_not_discovered_exception",
    "master_not_discovered_exception",
}
_STATUS = {
    401: "the cluster does not know the user; check HAVENGATE_ENGINE__USER and __PASSWORD",
    403: "the cluster's user may not do this; give it rights on the indexes of HAVENGATE_ENGINE__INDEX_PREFIX",
    429: "the cluster is overloaded; try again later or add nodes",
}
_NODE = re.compile(r"<?\b[\w.]*HTTPS?Connection(?:Pool)?\([^)]*\)(?: at 0x[0-9a-f]+>)?:? ?")
"""How urllib3 names the connection in its messages."""
_STRANGER = "what answers is no OpenSearch, or something before it; check HAVENGATE_ENGINE__HOSTS"


class Interrupted(EngineError):
    """A node went away, or none has taken its place yet: asking again may help."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises UnknownTable, EngineError or RequestError. ``what`` says what was being done."""
    try:
        yield
    except exceptions.ConnectionTimeout as error:
        raise EngineError(f"{what}: OpenSearch did not answer in time ({_reason(error)})") from error
    except exceptions.SSLError as error:
        raise EngineError(
            f"{what}: no trusted connection to OpenSearch; check HAVENGATE_ENGINE__CA, and that the server speaks "
            f"https ({_reason(error)})"
        ) from error
    except exceptions.ConnectionError as error:
        raise EngineError(f"{what}: OpenSearch cannot be reached ({_reason(error)})") from error
    except exceptions.TransportError as error:
        raise cluster_error(what, error.status_code, error.info or error.error) from error
    except exceptions.OpenSearchException as error:
        raise EngineError(f"{what}: {error}") from error
    except UnicodeEncodeError as error:
        raise RequestError(
            f"{what}: text holds half of a surrogate pair", code=HaCode.CONST_EXPRESSION_VALUE
        ) from error


def _reason(error: exceptions.ConnectionError) -> str:
    """What the client says, without the node's address: it goes to whoever asked."""
    return _NODE.sub("", str(error.error))


def cluster_error(what: str, status: object, body: object) -> HavengateError:
    """The error of an answer: {"error": {"type", "reason", "root_cause", "caused_by"}}."""
    kinds, reason = _read(body)
    if any(kind in _UNKNOWN for kind in kinds):
        return UnknownTable(f"{what}: the table is not there")
    if "too_many_clauses" in kinds or "too_many_nested_clauses" in kinds or "maxClauseCount" in reason:
        return RequestError(
            f"{what}: the filter has more parts than the cluster takes (indices.query.bool.max_clause_count)",
            code=HaCode.FILTER_CLAUSE,
        )
    if "cluster_block_exception" in kinds and _WRITE_BLOCK in reason:
        return Busy(f"{what}: the index takes no writes for now")
    if status == _TOO_LARGE:
        return RequestError(
            f"{what}: the request is larger than the cluster takes (http.max_content_length); ask for less at once",
            code=HaCode.QUERY_INVALID,
        )
    told = status if isinstance(status, int) else 0
    # A request that is wrong is refused by all shards, which says nothing about the shards.
    known = [] if told == _BAD_REQUEST and kinds[-1:] == ["search_phase_execution_exception"] else kinds
    otherwise = _STATUS.get(told, "OpenSearch refused" if any(kinds) else _STRANGER)
    advice = next((_ADVICE[kind] for kind in known if kind in _ADVICE), otherwise)
    passing = told in PASSING_STATUS or not _PASSING.isdisjoint(known)
    kind = Interrupted if passing else EngineError
    return kind(f"{what}: {advice} ({status} {kinds[0] if kinds else ''}: {reason})")


def _read(body: object) -> tuple[list[str], str]:
    """All types of an error, the innermost first, and the innermost reason."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(error, Mapping):
        return [], str(error)[:300]
    kinds: list[str] = []
    reason = ""
    for part in _chain(error):
        kinds.insert(0, str(part.get("type", "")))
        reason = str(part.get("reason") or reason)
    return kinds, reason[:300]


def _chain(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield error
    for cause in error.get("root_cause", ())[:1]:
        if cause.get("type") != error.get("type"):
            yield cause
    failed = error.get("failed_shards") or ()
    inner = error.get("caused_by") or (failed[0].get("reason") if failed else None)
    if isinstance(inner, Mapping):
        yield from _chain(inner)
