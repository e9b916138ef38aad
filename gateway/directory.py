"""All users there are: those of the settings and those of the file, which is read again when it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gateway.users import User, parse_users
from gateway.users_file import exposure, read_users
from havengate.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.setting_groups import AuthSettings

_LOG = logging.getLogger(__name__)
_LOOK_S = 1.0
_Mark = tuple[int, ...]


class Directory:
    """Users by name, at most a second old. Any thread.

    A changed file that cannot be read leaves the users as they were: nobody gets in by breaking it.
    """

    def __init__(self, settings: AuthSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._clock = clock
        self._looking = threading.Lock()
        self._looked = clock()
        self._mark = _mark(settings.file)
        self._users: Mapping[str, User] = _load(settings)
        self.problem = ""
        """Why the file that is there now is not the one in use."""

    @property
    def guarded(self) -> bool:
        """Whether credentials are asked for. An empty file lets nobody in, not everybody."""
        return bool(self._settings.users or self._settings.file)

    def users(self) -> Mapping[str, User]:
        if self._settings.file and self._clock() - self._looked >= _LOOK_S and self._looking.acquire(blocking=False):
            try:
                self._look()
                self._looked = self._clock()
            finally:
                self._looking.release()
        return self._users

    def rate_per_s(self, user: User | None) -> float:
        """Requests a second that are let in; 0: any number."""
        return self._settings.rate_per_s if user is None or user.rate_per_s is None else user.rate_per_s

    def _look(self) -> None:
        mark = _mark(self._settings.file)
        # What could not be read for want of a descriptor, or of rights, can be a second later, and looks the same.
        if mark == self._mark and not self.problem:
            return
        self._mark = mark
        try:
            self._users, self.problem = _load(self._settings), ""
        except SettingsError as error:
            if error.message != self.problem:
                _LOG.error("the users stay as they were: %s", error.message)
            self.problem = error.message


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


def _mark(path: Path | None) -> _Mark | None:
    try:
        seen = path.stat() if path else None
    except OSError:
        return None
    # The last one moves also where a program sets the first back.
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_ctime_ns) if seen else None
