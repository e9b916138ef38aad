"""Who is shown pictures: tokens, credentials, and that neither a table's existence nor a token is told to others."""

import time
from dataclasses import replace

import pytest
from access_samples import basic, hashed
from pictures_site import Site, colour, plain
from pydantic import SecretStr
from support import open_colour_services

from havengate.image_tokens import KEY_FILE, make

FORBIDDEN = {"code": "403", "message": "Forbidden"}


@pytest.fixture
def services(settings, model):
    opened = open_colour_services(settings, model)
    yield opened
    opened.close()


@pytest.fixture
def site(services):
    site = Site(services)
    for table in ("photos", "shoes"):
        site.create(table)
        site.keep(table, "a", plain("green"))
    return site


@pytest.fixture
def guarded(site, with_settings):
    return replace(site, services=with_settings(auth={"users": f"reader:read:{hashed('p')}"}))


def test_a_token_opens_the_pictures_of_its_table_without_credentials(guarded):
    answer = guarded.get(f"/images/photos/a?token={guarded.token('photos')}&size=20")
    assert (answer.status_code, colour(answer.data)) == (200, "green")


def test_nobody_without_either_sees_pictures_or_learns_which_tables_there_are(guarded):
    answers = [guarded.get(path) for path in ("/images/photos/a", "/images/none/a", "/images/photos/a?size=x")]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Basic realm="havengate", charset="UTF-8"'}


@pytest.mark.parametrize("place", ["photos", "shoes", "none", "photos@g1"])
def test_a_wrong_token_is_told_the_same_wherever_it_is_tried(guarded, place):
    good = guarded.token("photos")
    wrong = ["", "x", good[:-1], f"{good}A", good[:-1] + ("A" if good[-1] != "A" else "B"), "A" * 60, "é" * 60,
             "x" * 100_000, make(b"k" * 32, "photos", 1, int(time.time()) + 100), guarded.token("photos", seconds=0),
             guarded.token("photos", series=2), guarded.token("photos", series=0)]  # fmt: skip
    for token in wrong + ([good] if place != "photos" else []):
        answer = guarded.get(f"/images/{place}/a", query_string={"token": token})
        assert (answer.status_code, answer.json) == (403, FORBIDDEN)
        assert "WWW-Authenticate" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_wrong_token_is_refused_also_where_nobody_needs_one(site):
    assert site.get("/images/photos/a").status_code == 200
    assert site.get("/images/photos/a?token=x").status_code == 403


def test_a_wrong_token_is_not_made_good_by_credentials(guarded):
    answer = guarded.get("/images/photos/a?token=x", headers={"Authorization": basic("reader", "p")})
    assert answer.status_code == 403


def test_credentials_that_may_read_the_table_do(guarded):
    assert guarded.get("/images/photos/a", headers={"Authorization": basic("reader", "p")}).status_code == 200
    assert guarded.get("/images/photos/a", headers={"Authorization": basic("reader", "q")}).status_code == 401


def test_a_table_that_was_dropped_since_is_a_404_to_who_has_its_token(guarded, services):
    token = guarded.token("shoes")
    services.tables.drop("shoes")
    assert guarded.get(f"/images/shoes/a?token={token}").status_code == 404


def test_a_token_opens_nothing_but_pictures(guarded):
    token = guarded.token("photos")
    for path in (f"/query?query=x&token={token}", f"/changes?token={token}", f"/nothing?token={token}"):
        assert guarded.get(path).status_code == 401


def test_counting_the_series_up_revokes_the_tokens_before(guarded, services):
    before = guarded.token("photos")
    settings = services.engine.table("photos").settings
    services.engine.set_settings("photos", settings.model_copy(update={"image_tokens": 2}))
    assert guarded.get(f"/images/photos/a?token={before}").json == FORBIDDEN
    assert guarded.get(f"/images/photos/a?token={guarded.token('photos', series=2)}").status_code == 200
    assert guarded.get(f"/images/shoes/a?token={guarded.token('shoes')}").status_code == 200


def test_browsers_keep_a_thumbnail_for_a_while_and_never_longer_than_the_token_lives(guarded):
    def age(seconds):
        answer = guarded.get(f"/images/photos/a?token={guarded.token('photos', seconds=seconds)}")
        private, _, age = answer.headers["Cache-Control"].partition(", max-age=")
        assert private == "private"
        return int(age)

    assert age(100_000) == 300
    assert 0 <= age(20) <= 20


def test_gateways_with_one_key_take_each_others_tokens(guarded, with_settings, site):
    key = SecretStr("one for all of this cluster's gateways")
    one, other = (replace(site, services=with_settings(images={"key": key})) for _ in range(2))
    token = one.token("photos")
    assert other.get(f"/images/photos/a?token={token}").status_code == 200
    assert guarded.get(f"/images/photos/a?token={token}").status_code == 403


def test_a_key_that_is_too_short_is_told_to_the_operator_alone(guarded, services, caplog):
    token = guarded.token("photos")
    file = services.settings.data_dir / KEY_FILE
    file.write_text("short")
    answer = guarded.get(f"/images/photos/a?token={token}")
    assert (answer.status_code, answer.json["message"]) == (500, "what holds the picture cannot be asked")
    assert f"{file}: at least 16 characters" in caplog.text


def test_tokens_are_in_no_message_and_no_log(guarded, caplog):
    caplog.set_level(0)
    good, bad = guarded.token("photos"), "wrong-and-secret" * 4
    answers = [
        guarded.get(f"/images/{table}/{key}?token={token}&{rest}")
        for table in ("photos", "none")
        for key in ("a", "b")
        for token in (good, bad)
        for rest in ("", "size=0", "nonsense=1", "field=x")
    ]
    told = caplog.text + "".join(f"{answer.headers}{answer.get_data()!r}" for answer in answers)
    assert good not in told
    assert bad not in told
