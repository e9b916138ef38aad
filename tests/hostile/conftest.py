import pytest
from hostile_site import open_app, users


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The application with a user of every role."""
    folder = tmp_path_factory.mktemp("guarded")
    with open_app(folder / "data", auth=users(folder)) as app:
        yield app


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory):
    """The application without users."""
    with open_app(tmp_path_factory.mktemp("open") / "data") as app:
        yield app
