"""What several commands need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from havengate import errors
from havengate.errors import DataFolderBusy

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.settings import Settings
    from ingest.administration import Administration, JobAdministration

_FORMER_OWNER_S = 2.0
printable = errors.printable


@contextmanager
def open_folder() -> Iterator[Services]:
    """The services over HAVENGATE_DATA_DIR. Raises DataFolderBusy when a server holds it."""
    from havengate.services import services
    from havengate.settings import load_settings

    with services(load_settings(), wait_s=_FORMER_OWNER_S) as opened:
        yield opened


@contextmanager
def open_administration(*, prefer_server: bool = False) -> Iterator[Administration]:
    """The administration of HAVENGATE_DATA_DIR, by the server that holds it if there is one.

    ``prefer_server``: also by one that runs there without holding it (opensearch), for what depends on its settings.
    Raises DataFolderBusy when another process than a server holds it.
    """
    from havengate.cli.remote import RemoteAdministration, running_server
    from havengate.settings import load_settings
    from ingest.table_administration import open_administration as open_here

    settings = load_settings()
    served = prefer_server and running_server(settings.data_dir) is not None
    services = None if served else _services_unless_served(settings)
    if services is None:
        yield RemoteAdministration(settings.data_dir, _user())
        return
    here = open_here(services, who())
    try:
        yield here
    finally:
        here.close()
        services.close()


@contextmanager
def open_job_desk() -> Iterator[JobAdministration]:
    """Jobs and history of HAVENGATE_DATA_DIR, by the server that holds it or, whoever else does, from its file."""
    from havengate.cli.remote import RemoteAdministration, running_server
    from havengate.settings import load_settings
    from ingest.administration import open_job_desk as open_here

    settings = load_settings()
    if running_server(settings.data_dir):
        yield RemoteAdministration(settings.data_dir, _user())
        return
    here = open_here(settings, who())
    try:
        yield here
    finally:
        here.close()


def served_administration(settings: Settings) -> Administration | None:
    """The administration by the server of this data folder; None where none runs there."""
    from havengate.cli.remote import RemoteAdministration, running_server

    return RemoteAdministration(settings.data_dir, _user()) if running_server(settings.data_dir) else None


def _services_unless_served(settings: Settings) -> Services | None:
    """None where a server holds the folder."""
    from havengate.cli.remote import running_server
    from havengate.services import open_services

    try:
        return open_services(settings)
    except DataFolderBusy:
        if running_server(settings.data_dir):
            return None
    return open_services(settings, wait_s=_FORMER_OWNER_S)


def who() -> str:
    """Whom the change history names for what this command does."""
    return f"cli:{_user()}"


def _user() -> str:
    """The user of the system, whatever the environment calls him."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
