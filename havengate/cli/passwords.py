"""Passwords that commands are given: typed, or from a pipe, never as an argument that other users can list."""

from __future__ import annotations

import sys

import click

from havengate.errors import RequestError


def asked_password(what: str = "password", *, confirm: bool = False) -> str:
    """Asked for on a terminal, twice if ``confirm``; else the first line of the pipe. Raises RequestError."""
    if sys.stdin.isatty():
        password = str(click.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True))
    else:
        try:
            password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise RequestError("the password is not UTF-8") from error
    if not password:
        raise RequestError("the password is empty")
    return password
