"""compose.yaml as Compose reads it: with .env's values in their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}|\$\$")


@dataclass(frozen=True)
class Variable:
    """``${name:-default}``, or with ``required`` ``${name:?}``."""

    name: str
    required: bool
    default: str


def raw():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())


def texts(node):
    """Every text of the document, keys left out."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from texts(child)
    elif isinstance(node, str):
        yield node


def variables():
    """All that the document wants to be told, by name."""
    found = [match for text in texts(raw()) for match in _VARIABLE.finditer(text) if match[1]]
    return {match[1]: Variable(match[1], match[2] == ":?", match[3] or "") for match in found}


def services(env):
    """The services under the values of ``env``."""
    return _filled(raw()["services"], env)


def _filled(node, env):
    if isinstance(node, dict):
        return {key: _filled(value, env) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, env) for value in node]
    return _VARIABLE.sub(lambda match: _value(match, env), node) if isinstance(node, str) else node


def _value(match, env):
    if not match[1]:
        return "$"
    value = env.get(match[1]) or (match[3] if match[2] == ":-" else "")
    assert value or match[2] != ":?", f"{match[1]} is not set"
    return value


def read_env(file):
    lines = (line.partition("=") for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}
