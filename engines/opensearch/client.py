"""Settings -> a pooled client of the cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opensearchpy import OpenSearch

if TYPE_CHECKING:
    from havengate.settings import EngineSettings

_POOL = 32
_RETRIES = 2


def connect(settings: EngineSettings) -> OpenSearch:
    """No connection is made before the first request.

    A request that was lost on its way goes to the next node: every write names its rows, so that a second
    time changes nothing.
    """
    logger = logging.getLogger("opensearch")
    if not logger.handlers:
        # Every failure is raised and told once; the client would tell it again, with a traceback, to stderr.
        logger.addHandler(logging.NullHandler())
    return OpenSearch(
        hosts=list(settings.host_list),
        http_auth=(settings.user, settings.password.get_secret_value()) if settings.user else None,
        verify_certs=settings.verify_certs,
        ca_certs=None if settings.ca is None else str(settings.ca),
        ssl_show_warn=False,
        timeout=settings.timeout_s,
        max_retries=_RETRIES,
        retry_on_timeout=True,
        retry_on_status=(502, 503, 504),
        pool_maxsize=_POOL,
    )
