"""Thumbnails of pictures in a bucket: what the store is asked for, and what browsers are told when it fails."""

import json

import pytest
from pictures_site import TEXT_KEY, Site, colour, plain
from store_double import Answer
from support import open_colour_services

from havengate.setting_groups import SourceSettings
from schemas.templates import template
from schemas.vendor import read_schema


@pytest.fixture
def services(settings, model):
    opened = open_colour_services(settings.model_copy(update={"sources": SourceSettings(timeout_s=5)}), model)
    yield opened
    opened.close()


@pytest.fixture
def site(store, services, monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    store.fill("shop", {"red/a b.png": plain("red"), "blue.png": plain("blue")})
    schema = template("oss", endpoint=store.endpoint, bucket="/shop", extra_fields=[TEXT_KEY]).to_json()
    schema["fields"][1]["user_defined_param"] |= {"oss_access_key": "the-id", "oss_secret": "the-secret"}
    site = Site(services)
    site.create("shop", read_schema(json.dumps(schema)))
    site.push("shop", {"id": "a", "vector_source_image": "/red/a b.png"})
    store.asked.clear()
    return site


def test_an_object_is_asked_for_once(site, store):
    answers = [site.get(path) for path in ("/images/shop/a", "/images/shop/a", "/images/shop/a")]
    assert [colour(answer.data) for answer in answers] == ["red"] * 3
    assert store.paths() == ["/shop/red/a b.png"]
    tag = answers[0].headers["ETag"]
    store.drop("shop", "red/a b.png")
    assert site.get("/images/shop/a", headers={"If-None-Match": tag}).status_code == 304
    assert site.get("/images/shop/a?size=30").status_code == 404


def test_a_row_that_names_another_object_shows_that_one_at_once(site):
    assert colour(site.get("/images/shop/a").data) == "red"
    site.push("shop", {"id": "a", "vector_source_image": "blue.png"}, cmd="update_field")
    assert colour(site.get("/images/shop/a").data) == "blue"


def test_a_store_that_is_away_is_a_503_that_says_when_to_come_again(site, store, caplog):
    store.fault = lambda _: Answer(503, "ServiceUnavailable")
    answer = site.get("/images/shop/a")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json == {"code": "503", "message": "what holds the picture cannot be asked"}
    assert "bucket 'shop'" in caplog.text
    store.fault = None
    assert colour(site.get("/images/shop/a").data) == "red"


def test_an_object_that_is_gone_is_a_404(site, store):
    store.drop("shop", "red/a b.png")
    answer = site.get("/images/shop/a")
    assert (answer.status_code, answer.json["message"]) == (404, "the picture is missing or cannot be read")


def test_credentials_stand_in_no_answer_and_no_log(site, store, caplog):
    store.fault = lambda _: Answer(403, "InvalidAccessKeyId")
    answer = site.get("/images/shop/a")
    assert answer.status_code == 502
    assert "the-id" not in answer.text + caplog.text
    assert "the-secret" not in answer.text + caplog.text
