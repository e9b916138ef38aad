"""The vendor's SDK samples, as their documents print them but for endpoint and credentials.

Sources: Alibaba Cloud's "Solution for image search" and "Best practices for vectorized image retrieval".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from havengate.errors import EngineError

TEXT_SAMPLE = (
    "config=hit:4,format:json,fetch_summary_type:pk,qrs_chain:search"
    "&&query=image_index:'motorcycle helmet&modal=text&n=10&search_params={}'"
    "&&cluster=general"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One query of the demo: what a person reads (``where``: table, filter, method), and what goes over the wire."""

    words: str
    gloss: str
    where: str
    query: str
    method: str = "GET"
    picture: bytes | None = None


def text_query(table: str, content: str, filter_: str = "") -> str:
    """A search by words or by Base64 words, best first by distance."""
    return _query(table, content, "text", filter_)


def picture_query(table: str, picture: bytes, filter_: str = "") -> str:
    """A search by a picture's bytes as Base64."""
    return _query(table, base64.b64encode(picture).decode(), "image", filter_)


def _query(table: str, content: str, modal: str, filter_: str) -> str:
    return (
        "config=hit:4,format:json,fetch_summary_type:pk,qrs_chain:search"
        f"&&query=image_index:'{content}&modal={modal}&n=10&search_params={{}}'"
        f"&&cluster={table}"
        "&&kvpairs=formula:proxima_score(vector)&&sort=+RANK" + (f"&&filter={filter_}" if filter_ else "")
    )


class SampleClient:
    """The vendor's client, pointed at a gateway."""

    def __init__(self, endpoint: str) -> None:
        from alibabacloud_ha3engine import client, models

        self._models = models
        self._client = client.Client(
            models.Config(
                endpoint=endpoint,
                instance_id="",
                protocol="http",
                access_user_name="demo",
                access_pass_word="demo",  # noqa: S106  (no users are configured on loopback: it is ignored)
            )
        )

    def search(self, query: str, method: str = "GET") -> dict[str, Any]:
        """The answer's JSON; the SDK itself returns text. Raises EngineError with the gateway's words."""
        search_query = self._models.SearchQuery(query=query)
        request = self._models.SearchRequestModel({}, search_query, method=method)
        return _answer(lambda: self._client.search(request))

    def push(self, table: str, key: str, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Pushes rows to a table, as the sample for API data sources does. Raises EngineError as ``search``."""
        request = self._models.PushDocumentsRequestModel({}, list(documents))
        return _answer(lambda: self._client.push_documents(table, key, request))


def _answer(call: Callable[[], Any]) -> dict[str, Any]:
    from Tea.exceptions import TeaException

    try:
        answer: dict[str, Any] = json.loads(call().body)
    except (TeaException, ValueError) as error:
        raise EngineError(f"the gateway refused a call of the demo: {error}") from error
    errors = answer.get("errors")
    if errors:
        raise EngineError(f"the gateway refused a call of the demo: {errors[0]['message']}")
    return answer
