"""The id of the request that is being worked on, for logs and for whom the work is handed to.

A context variable, not an argument: log lines of every room carry it, and none of them has another use for it.
"""

from __future__ import annotations

from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("havengate_request_id", default="")
"""Empty outside requests. Threads that work for a request copy the context (contextvars.copy_context)."""
