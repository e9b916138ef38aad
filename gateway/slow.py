"""Searches that took long: a line with the plan in the log, and on a cluster a document for Dashboards."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask import g

from havengate.errors import HavengateError
from havengate.plan_json import plan_to_json
from havengate.shortened import shortened

if TYPE_CHECKING:
    from engines.contract import Published
    from gateway.searching import Searched
    from havengate.setting_groups import LogSettings

Publish = Callable[["Published", str, Mapping[str, object]], None]
"""engines.contract.Engine.publish."""
_LOG = logging.getLogger("havengate.slow")
_MOST_WAITING = 256
_LAST_S = 2.0
# What the client's line and the other requests take is not the search's.
_NOT_ITS_OWN = ("wait", "read")


class SlowSearches:
    """Any thread; a search never waits for it. What a full queue cannot take is dropped and counted."""

    def __init__(self, settings: LogSettings, publish: Publish, dropped: Callable[[], None]) -> None:
        self._over_s = settings.slow_ms / 1000
        self._publish = publish if settings.slow_index else None
        self._dropped = dropped
        self._waiting: queue.Queue[tuple[str, Mapping[str, object]] | None] = queue.Queue(_MOST_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._told = False

    def note(self, dialect: str, searched: Searched, seconds: float, stages: Mapping[str, float]) -> bool:
        """Whether it was slow. ``seconds`` are the request's, ``stages`` what of them was spent on what."""
        took = seconds - sum(stages.get(name, 0.0) for name in _NOT_ITS_OWN)
        if not 0 < self._over_s < took:
            return False
        told = _document(dialect, searched, took, stages)
        _LOG.warning("search of %s took %.1f ms", told["table"], told["took_ms"], extra=_extra(told))
        self._hand_over(told)
        return True

    def close(self) -> None:
        """Publishes what waits, as far as it goes in seconds."""
        with self._starting:
            thread, self._publish = self._thread, None
        if thread is not None:
            with suppress(queue.Full):
                self._waiting.put(None, timeout=_LAST_S)
            thread.join(_LAST_S)

    def _hand_over(self, told: dict[str, Any]) -> None:
        with self._starting:
            if self._publish is None:
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._publish,), name="publish-slow-searches", daemon=True
                )
                self._thread.start()
        try:
            # A request's id may be any client's second one, too.
            self._waiting.put_nowait((f"{told['request_id']}-{time.time_ns():x}", told))
        except queue.Full:
            self._dropped()

    def _run(self, publish: Publish) -> None:
        while (item := self._waiting.get()) is not None:
            try:
                publish("slow-searches", *item)
            except HavengateError as error:
                self._dropped()
                # The trouble may last, which one line says well enough.
                if not self._told:
                    _LOG.warning("slow searches are not published: %s", error.message)
                self._told = True
            except Exception:  # noqa: BLE001 - a thread has nobody to raise to
                self._dropped()
                _LOG.exception("a slow search is not published")
            else:
                self._told = False


def _document(dialect: str, searched: Searched, took: float, stages: Mapping[str, float]) -> dict[str, Any]:
    """As a cluster keeps it; ``error`` stands where the search failed, ``total`` and ``hits`` where it did not."""
    plan, result = searched.plan, searched.result
    told: dict[str, Any] = {
        "at": round(time.time(), 3),
        "table": plan.table,
        "dialect": dialect,
        "request_id": g.request_id,
        "took_ms": round(1000 * took, 3),
        "stages": {name: round(1000 * spent, 3) for name, spent in stages.items()},
    }
    if result is None:
        told["error"] = g.get("refused_as", "")
    else:
        told |= {"total": result.total, "hits": len(result.hits)}
    try:
        told["plan"] = shortened(plan_to_json(plan, whole_pictures=False))
    except HavengateError:
        # A plan that no table takes has no JSON; its error says why.
        told["plan"] = {}
    return told


def _extra(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key != "at"}
