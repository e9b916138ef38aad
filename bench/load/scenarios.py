"""Clients that speak the vendor's wire form, for locust; run.py starts them and their server.

Every answer is read: status, JSON, and whether the hits are those that were asked for. A gateway that says "come again"
(the engine's code 11001, or Retry-After on 429 or 503) is counted as busy. Anything else that is not right is an
error under what it was.
"""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import table
from locust import FastHttpUser, constant, events, task

BUSY_CODE = 11001
HITS = 10
WORDS = ("motorcycle helmet", "a red door", "sail boat", "lighthouse", "parrot", "a cat", "coffee", "rocket", "beach")
WORDS_ZH = ("摩托车头盔", "红色的门", "帆船", "灯塔", "鹦鹉", "猫", "咖啡", "火箭", "海滩")
PICTURES = tuple(table.pictures())
BUSY: Counter[str] = Counter()
CHANCE = random.Random(9)  # noqa: S311 - load, not a secret


class Wrong(Exception):
    """What is wrong with an answer, in words that many answers share."""


class Client(FastHttpUser):
    """Asks again at once: as many requests are under way as there are clients."""

    wait_time = constant(0)
    connection_timeout = network_timeout = 60.0

    def on_start(self) -> None:
        """Each scenario once: a short run misses none by chance."""
        for scenario in dict.fromkeys(self.tasks):
            scenario(self)

    @task(3)
    def text(self) -> None:
        """Words that were hardly ever asked before, so that most are embedded."""
        self._search("text", f"{CHANCE.choice(WORDS)} {CHANCE.randrange(100_000)}&modal=text")

    @task(3)
    def text_zh(self) -> None:
        """Nine texts, which the gateway remembers."""
        self._search("text, Chinese", f"{CHANCE.choice(WORDS_ZH)}&modal=text")

    @task(2)
    def picture_get(self) -> None:
        self._search("picture, GET", f"{_picture()}&modal=image")

    @task(2)
    def picture_post(self) -> None:
        self._search("picture, POST", f"{_picture()}&modal=image", post=True)

    @task(3)
    def filtered(self) -> None:
        category = CHANCE.randrange(table.CATEGORIES)
        self._search("text, filter", f"{CHANCE.choice(WORDS)}&modal=text", category=category)

    @task(1)
    def push(self) -> None:
        """A new picture each time, under one of few keys: the table stays as large as it is."""
        key = table.FIRST_PUSHED + CHANCE.randrange(table.PUSHED)
        row = {"id": key, "cate_id": table.CATEGORIES, "vector_source_image": _picture()}
        self._send("push", "POST", f"/update/{table.NAME}/actions/bulk", [{"cmd": "add", "fields": row}], _pushed)

    @task(2)
    def fetch(self) -> None:
        keys = CHANCE.sample(range(table.ROWS_AT_LEAST), 5)
        body = {"tableName": table.NAME, "ids": [str(key) for key in keys]}

        def check(answer: Any) -> None:
            if [row["id"] for row in answer["result"]] != keys:
                raise Wrong("other rows than those asked for")

        self._send("fetch", "POST", "/vector-service/fetch", body, check)

    def _search(self, name: str, content: str, *, category: int | None = None, post: bool = False) -> None:
        condition = "" if category is None else f"&&filter=cate_id={category}"
        query = (
            f"query=vector:'{content}&n={HITS}'&&config=start:0,hit:{HITS},format:json&&cluster={table.NAME}{condition}"
        )

        def check(answer: Any) -> None:
            items = answer["result"]["items"]
            if len(items) != HITS:
                raise Wrong(f"{len(items)} hits instead of {HITS}")
            if category is not None and any(item["fields"]["cate_id"] != str(category) for item in items):
                raise Wrong("a hit that the filter leaves out")

        if post:
            self._send(name, "POST", "/query", {"assemblyQuery": query}, check)
        else:
            self._send(name, "GET", f"/query?query={quote_plus(query)}", None, check)

    def _send(self, name: str, method: str, path: str, body: object, check: Any) -> None:
        with self.client.request(method, path, name=name, json=body, catch_response=True) as response:
            try:
                BUSY[name] += not _is_good(response, check)
                response.success()
            except Wrong as wrong:
                response.failure(str(wrong))
            except (ValueError, LookupError, TypeError) as error:
                response.failure(f"an answer of another form: {type(error).__name__}")


def _is_good(response: Any, check: Any) -> bool:
    """False where the gateway is busy; raises Wrong for everything else that is not right."""
    if response.status_code in (429, 503) and response.headers.get("Retry-After"):
        return False
    if response.status_code != 200:  # 0: no answer came
        raise Wrong(f"HTTP {response.status_code}")
    answer = json.loads(response.text)
    if _is_busy(answer):
        return False
    check(answer)
    return True


def _is_busy(answer: Any) -> bool:
    """Raises Wrong for any other error that an answer of HTTP 200 holds."""
    errors = answer.get("errors") or ([{"code": answer["errorCode"]}] if answer.get("errorCode") else [])
    codes = {error["code"] for error in errors}
    if codes - {BUSY_CODE}:
        raise Wrong(f"code {', '.join(map(str, sorted(codes)))}")
    return bool(codes)


def _pushed(answer: Any) -> None:
    if answer["status"] != "OK":
        raise Wrong("not OK")


def _picture() -> str:
    """Base64 of a photo that nobody sent before: its bytes hold a comment of their own."""
    start, rest = (photo := CHANCE.choice(PICTURES))[:2], photo[2:]
    return base64.b64encode(start + b"\xff\xfe\x00\x0a" + CHANCE.randbytes(8) + rest).decode()


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    parser.add_argument("--results", type=Path, help="JSON file for what was counted")


@events.quitting.add_listener
def _write(environment: Any, **_: object) -> None:
    """By scenario: requests, errors, busy answers, milliseconds; and the kinds of errors."""
    stats = environment.stats
    scenarios = {
        entry.name: {
            "requests": entry.num_requests,
            "errors": entry.num_failures,
            "busy": BUSY[entry.name],
            "p50": entry.get_response_time_percentile(0.5),
            "p99": entry.get_response_time_percentile(0.99),
            "max": entry.max_response_time,
        }
        for entry in stats.entries.values()
    }
    kinds = {f"{error.name}: {error.error}": error.occurrences for error in stats.errors.values()}
    told = {"scenarios": scenarios, "errors": kinds, "seconds": stats.last_request_timestamp - stats.start_time}
    environment.parsed_options.results.write_text(json.dumps(told), encoding="utf-8")
