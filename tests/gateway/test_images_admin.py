"""Tokens of pictures as the administration makes and revokes them, here and asked of a server."""

import time

import pytest
from support import open_colour_services

from gateway.app import create_app
from gateway.parts import Parts
from havengate.errors import RequestError, SettingsError, UnknownTable
from havengate.image_tokens import load_key, read
from ingest.rebuild.decide import Wanted
from ingest.rebuild.request import Rebuild
from ingest.table_administration import open_administration
from schemas.templates import template

OWNER = {"Authorization": "Bearer of-this-start", "X-Havengate-By": "ada"}


@pytest.fixture
def services(settings, model):
    opened = open_colour_services(settings, model)
    yield opened
    opened.close()


@pytest.fixture
def administration(services):
    opened = open_administration(services, "cli:ada")
    yield opened
    opened.close()


@pytest.mark.usefixtures("photos")
def test_a_token_is_of_the_tables_series_and_the_history_says_who_made_one(administration, settings):
    made = administration.image_token("photos", 30)
    said = read(load_key(settings), "photos", made["token"], time.time())
    assert (said.series, said.expires) == (1, made["expires"])
    assert said.expires - time.time() == pytest.approx(30 * 86400, abs=60)
    (entry,) = [each for each in administration.changes(table="photos") if each["what"] == "image token"]
    assert (entry["by"], entry["detail"]) == ("cli:ada", {"changes": ["valid for 30 days, series 1"]})
    assert made["token"] not in str(administration.changes())


@pytest.mark.usefixtures("photos")
def test_the_server_makes_one_with_its_own_key(services, administration):
    client = create_app(services, Parts(administration, "of-this-start")).test_client()
    made = client.post("/admin/tables/photos/image-token", json={}, headers=OWNER)
    assert made.status_code == 201
    assert read(load_key(services.settings), "photos", made.json["token"], time.time()).series == 1
    refused = [
        client.post("/admin/tables/photos/image-token", json={"days": days}, headers=OWNER)
        for days in (0, -1, 36_501, "x", 10**30)
    ]
    assert [each.status_code for each in refused] == [400] * 5
    assert client.post("/admin/tables/shoes/image-token", json={}, headers=OWNER).status_code == 404
    assert client.post("/admin/tables/photos/image-token", json={}).status_code == 401


@pytest.mark.usefixtures("photos")
def test_a_series_that_was_revoked_does_not_come_back(administration):
    administration.set_table("photos", ("image_tokens=3",))
    for change in (
        lambda: administration.set_table("photos", ("image_tokens=2",)),
        lambda: administration.plan_rebuild("photos", Rebuild(Wanted(settings=("image_tokens=1",)))),
    ):
        with pytest.raises(SettingsError, match="image_tokens only counts up from 3"):
            change()
    assert administration.set_table("photos", ("strict=true",))["image_tokens"] == 3


def test_tokens_of_a_former_table_open_nothing_of_one_with_its_name(administration, settings, tmp_path):
    def series():
        return read(load_key(settings), "shoes", administration.image_token("shoes")["token"], time.time()).series

    administration.create_table("shoes", template("base64"))
    first = series()
    administration.backup("shoes", tmp_path / "shoes.tar")
    administration.set_table("shoes", (f"image_tokens={first + 1}",))
    administration.drop_table("shoes")
    administration.restore(tmp_path / "shoes.tar")
    restored = series()
    administration.drop_table("shoes")
    administration.create_table("shoes", template("base64"))
    assert len({first, first + 1, restored, series()}) == 4


@pytest.mark.usefixtures("photos")
def test_what_no_token_can_be_made_for(administration):
    with pytest.raises(UnknownTable):
        administration.image_token("shoes")
    with pytest.raises(UnknownTable):
        administration.image_token("photos@g1")
    with pytest.raises(RequestError, match="1 to 36500 days, not 0"):
        administration.image_token("photos", 0)
