"""Probes and this document itself, in the document."""

from __future__ import annotations

from gateway.openapi.parts import Json, answer, operation, ref, text_answer

TAG = "Operation"


def paths() -> Json:
    status = ref("Status")
    ready = {200: answer("It would.", status), 503: answer("Not yet; `message` says why.", status)}
    document = {200: answer("OpenAPI 3.1.", {"type": "object", "required": ["openapi", "info", "paths"]})}
    page = {200: text_answer("HTML without any script.", "text/html")}
    metrics = {200: text_answer("Prometheus' text format, or OpenMetrics where `Accept` says so.", "text/plain")}
    metrics[200]["content"]["application/openmetrics-text"] = {}
    return {
        "/metrics": {"get": operation("metrics", TAG, "Numbers for Prometheus", metrics, access="read")},
        "/healthz": {
            "get": operation("healthz", TAG, "The process answers", {200: answer("It does.", status)}, access=None)
        },
        "/readyz": {"get": operation("readyz", TAG, "Searches would be answered", ready, access=None)},
        "/network/active": {
            "get": operation("active", TAG, "The SDK's probe", {200: answer("It answers.", status)}, access="read")
        },
        "/openapi.json": {"get": operation("document", TAG, "This document", document, access="read")},
        "/docs": {"get": operation("page", TAG, "This document as a page", page, access="read")},
    }
