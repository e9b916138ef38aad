"""The demo's pictures and the tables of what they show, shipped with the package."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """The folder that holds general/ and clothes/."""
    return Path(__file__).parent
