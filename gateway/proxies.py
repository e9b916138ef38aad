"""Proxies in front of the gateway: what they say of a client is believed for as many of them as there are."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask


def install(app: Flask, hops: int) -> None:
    """X-Forwarded-For and -Proto of the last ``hops`` proxies become the client's address and scheme; 0: of none."""
    if hops:
        app.wsgi_app = ProxyFix(_addresses(app.wsgi_app), x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]


def _addresses(application: WSGIApplication) -> WSGIApplication:
    """Some proxies put a port behind the address; what is no address at all is the proxy's own instead."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        before = environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR") or ""
        environ["REMOTE_ADDR"] = _address(environ.get("REMOTE_ADDR") or "") or before
        return application(environ, start_response)

    return call


def _address(said: str) -> str:
    """``1.2.3.4``, ``1.2.3.4:56``, ``::1`` and ``[::1]:56`` without port; empty for what is none of them."""
    host = said[1:].partition("]")[0] if said.startswith("[") else said
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        # A zone is no address, and may be any text.
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return ""
