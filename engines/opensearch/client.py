"""Settings -> a pooled client of the cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opensearchpy import OpenSearch, SerializationError, Transport
from urllib3 import Timeout

from havengate.errors import SettingsError
from havengate.request_id import REQUEST_ID

if TYPE_CHECKING:
    from havengate.setting_groups import EngineSettings

_LOG = logging.getLogger(__name__)
_POOL = 32
_RETRIES = 2
_CONNECT_S = 3.0
_DEAD_S = 5.0
_SHOWN = 100


class NamingTransport(Transport):
    """Says whose request it is, and takes no answer that OpenSearch never gives.

    X-Opaque-Id stands in the cluster's slow logs and lists of tasks. The login page of a proxy is a 200, too.
    """

    def perform_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if asked_by := REQUEST_ID.get():
            kwargs["headers"] = {**(kwargs.get("headers") or {}), "x-opaque-id": asked_by}
        answer = super().perform_request(method, url, *args, **kwargs)
        if isinstance(answer, dict | bool):
            return answer
        raise SerializationError(f"the server is not OpenSearch: it answers {str(answer)[:_SHOWN]!r}")


def connect(settings: EngineSettings) -> OpenSearch:
    """No connection is made before the first request.

    A request that was lost on its way goes to the next node: every write names its rows, so that a second
    time changes nothing. Nodes are those of the settings; others that the cluster names might not be reachable.
    """
    if not settings.verify_certs:
        _LOG.warning("HAVENGATE_ENGINE__VERIFY_CERTS=false: whoever answers as the cluster is believed")
    if settings.ca is not None and not settings.ca.is_file():
        raise SettingsError(f"HAVENGATE_ENGINE__CA: no file {settings.ca}")
    logger = logging.getLogger("opensearch")
    # Every failure is raised and told once, and a 404 is often what was asked for; the client would tell both.
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    password = settings.password.get_secret_value()
    return OpenSearch(
        hosts=list(settings.host_list),
        transport_class=NamingTransport,
        http_auth=(_as_utf8(settings.user), _as_utf8(password)) if settings.user else None,
        verify_certs=settings.verify_certs,
        ca_certs=None if settings.ca is None else str(settings.ca),
        ssl_show_warn=False,
        # A node that is off the network is found out sooner than one that is slow.
        timeout=Timeout(connect=min(settings.timeout_s, _CONNECT_S), read=settings.timeout_s),
        max_retries=_RETRIES,
        # Another node may answer; the same one would only take the same time again.
        retry_on_timeout=len(settings.host_list) > 1,
        dead_timeout=_DEAD_S,
        retry_on_status=(502, 503, 504),
        pool_maxsize=_POOL,
    )


def _as_utf8(text: str) -> str:
    """The client writes Latin-1 where OpenSearch reads UTF-8."""
    return text.encode().decode("latin-1")
