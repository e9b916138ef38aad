"""All users there are: those of the settings and those of the file, which is read again when it changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from gateway.renewed import Renewed
from gateway.users import User, parse_users
from gateway.users_file import exposure, read_users
from havengate.errors import SettingsError

if TYPE_CHECKING:
    from havengate.setting_groups import AuthSettings

_LOG = logging.getLogger(__name__)


class Directory:
    """Users by name, at most a second old. Any thread.

    A changed file that cannot be read leaves the users as they were: nobody gets in by breaking it.
    """

    def __init__(self, settings: AuthSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError."""
        self._settings = settings
        files = [settings.file] if settings.file else []
        self._users = Renewed(files, partial(_load, settings), _LOG, "the users stay as they were", clock)

    @property
    def problem(self) -> str:
        """Why the file that is there now is not the one in use; empty where it is."""
        return self._users.problem

    @property
    def guarded(self) -> bool:
        """Whether credentials are asked for. An empty file lets nobody in, not everybody."""
        return bool(self._settings.users or self._settings.file)

    def users(self) -> Mapping[str, User]:
        return self._users.now()

    def rate_per_s(self, user: User | None) -> float:
        """Requests a second that are let in; 0: any number."""
        return self._settings.rate_per_s if user is None or user.rate_per_s is None else user.rate_per_s


def load_users(settings: AuthSettings) -> Mapping[str, User]:
    """Users of both places. Raises SettingsError, also for one who stands in both."""
    users = parse_users(settings.users)
    if settings.file is None:
        return users
    listed = read_users(settings.file)
    for name in users.keys() & listed.keys():
        raise SettingsError(f"{settings.file}: user {name!r} stands in HAVENGATE_AUTH__USERS, too")
    return users | listed


def _load(settings: AuthSettings) -> Mapping[str, User]:
    users = load_users(settings)
    if settings.file and (warning := exposure(settings.file)):
        _LOG.warning("%s", warning)
    return users
