"""What several commands need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from havengate.services import Services

_FORMER_OWNER_S = 2.0


@contextmanager
def open_folder() -> Iterator[Services]:
    """The services over HAVENGATE_DATA_DIR. Raises DataFolderBusy when a server holds it."""
    from havengate.services import services
    from havengate.settings import load_settings

    with services(load_settings(), wait_s=_FORMER_OWNER_S) as opened:
        yield opened


def printable(text: str) -> str:
    """The text with control characters and undecodable bytes escaped: names may carry a terminal's commands."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
