import threading

from gateway_fakes import FakeServices, client_of

from gateway.app import warm_up
from havengate.errors import EngineError


def test_alive(client):
    assert client.get("/healthz").json == {"status": "OK"}
    assert client.get("/network/active").json == {"status": "OK"}


def test_ready_once_models_are_loaded(services, client):
    services.embedding.loaded = False
    assert client.get("/readyz").status_code == 503
    services.embedding.loaded = True
    assert client.get("/readyz").status_code == 200


def test_a_model_that_cannot_be_loaded_leaves_the_others_ready_and_is_named(services, client):
    services.models = lambda: {"builtin", "clip"}
    services.embedding.failed = {"clip": "its weights are not in /srv/secret"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "OK")
    assert answer.json["message"] == "model clip cannot be loaded: `havengate models verify clip` says why"


def test_not_ready_where_no_model_can_be_loaded(services, client):
    services.embedding.failed = {"builtin": "no space left"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "model builtin cannot be loaded" in answer.json["message"]


def test_models_of_tables_that_come_later_are_loaded_too(services, caplog):
    ended = threading.Event()
    tables = iter([{"builtin"}, {"builtin", "clip"}, EngineError("away"), {"builtin", "clip", "mine"}])

    def models():
        found = next(tables)
        if isinstance(found, EngineError):
            raise found
        if "mine" in found:
            ended.set()
        return found

    services.models = models
    services.embedding.failed = {"clip": "no weights"}
    warm_up(services, ended, pause_s=0)
    assert services.embedding.warmed == ["builtin", "clip", "mine"]
    assert "searches that need model clip will fail: no weights" in caplog.text


def test_no_tables_need_no_model(services, client):
    services.models = set
    assert client.get("/readyz").status_code == 200


def test_not_ready_while_the_engine_does_not_answer():
    class Broken(FakeServices):
        def models(self):
            raise EngineError("disk is gone")

    client = client_of(Broken())
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_the_sdk_sends_a_content_type_without_a_body(client):
    assert client.get("/network/active", headers={"Content-Type": "application/json; charset=utf-8"}).status_code == 200
