"""What an examination finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from havengate.errors import HavengateError

if TYPE_CHECKING:
    from havengate.settings import Settings

Check = Callable[["Settings"], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """``detail`` says what there is, or what is wrong and what to do."""

    what: str
    ok: bool
    detail: str


def found(what: str, check: Check, settings: Settings) -> Finding:
    try:
        return Finding(what, True, check(settings))
    except (HavengateError, OSError, ImportError) as error:
        return Finding(what, False, str(error))
