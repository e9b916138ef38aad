"""Models on another machine: the same vectors, one error for each thing that can happen to a server."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from model_site import ModelSite, RecipeModel
from PIL import Image

from embedding.clip.files import ClipFiles
from embedding.clip.model import load_clip
from embedding.clip.runtime import RuntimeSettings
from embedding.readiness import Readiness
from embedding.service import EmbeddingService
from gateway.users import hash_password
from havengate.doctor import examine
from havengate.errors import ModelAway, ModelError, Overloaded, PictureError
from havengate.request_id import REQUEST_ID
from havengate.setting_groups import EmbeddingSettings
from havengate.settings import Settings

NAME = "colour"
PICTURES = [Image.new("RGB", (9 + n, 5), (n, 2 * n, 255 - n)) for n in range(40)]


@pytest.fixture
def site():
    made = ModelSite()
    yield made
    made.stop()


@pytest.fixture
def ask():
    """Makes the gateway's side."""
    services = []

    def make(url, **settings):
        services.append(EmbeddingService(EmbeddingSettings(url=url, **settings)))
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def local():
    service = EmbeddingService(EmbeddingSettings(), {NAME: lambda _: RecipeModel()})
    yield service
    service.close()


def test_the_server_has_the_id_of_the_request_that_asks(site, ask, caplog):
    caplog.set_level("INFO", "havengate.access")
    site.start(RecipeModel())
    before = REQUEST_ID.set("mine-7")
    ask(site.url).embed_texts(NAME, ["red"])
    REQUEST_ID.reset(before)
    lines = [record for record in caplog.records if record.getMessage() == "POST /v1/embed/texts"]
    assert [line.request_id for line in lines] == ["mine-7"]


def test_vectors_and_descriptions_are_those_of_the_model_itself(site, ask, local):
    site.start(RecipeModel())
    remote = ask(site.url)
    assert remote.fingerprint(NAME) == local.fingerprint(NAME)
    assert remote.dimension(NAME) == 512
    assert np.array_equal(remote.embed_text(NAME, "红"), local.embed_text(NAME, "红"))
    assert np.array_equal(remote.embed_pictures(NAME, PICTURES), local.embed_pictures(NAME, PICTURES))
    pixels = [remote.prepare(NAME, picture) for picture in PICTURES[:3]]
    assert np.array_equal(remote.embed_pixels(NAME, pixels), local.embed_pictures(NAME, PICTURES[:3]))
    assert remote.embed_pixels(NAME, []).shape == (0, 512)


def test_texts_are_remembered_on_the_gateways_side(site, ask):
    model = RecipeModel()
    site.start(model)
    remote = ask(site.url)
    first = remote.embed_text(NAME, "red")
    assert remote.embed_text(NAME, "red") is first
    assert not first.flags.writeable
    assert model.texts_seen == ["warm-up", "red"]


def test_callers_of_several_gateways_share_batches(site, ask):
    model = RecipeModel()
    site.start(model)
    gateways = [ask(site.url), ask(site.url)]
    with ThreadPoolExecutor(16) as pool:
        texts = [f"text {n}" for n in range(64)]
        found = list(pool.map(lambda n: gateways[n % 2].embed_text(NAME, texts[n]), range(64)))
    assert len(found) == 64
    assert sorted(model.texts_seen[1:]) == sorted(texts)


def test_a_picture_that_cannot_be_read_is_an_error_of_the_picture(site, ask):
    site.start(RecipeModel())
    with pytest.raises(PictureError, match="RGB"):
        ask(site.url).prepare(NAME, Image.new("L", (4, 4)))


def test_a_model_that_the_server_does_not_have_is_named(site, ask):
    site.start(RecipeModel())
    with pytest.raises(ModelError, match="no model 'clip'; it has: colour"):
        ask(site.url).embed_text("clip", "red")


def test_a_server_that_comes_back_is_used_again_without_a_new_start_of_the_gateway(site, ask):
    site.start(RecipeModel())
    remote = ask(site.url, timeout_s=5)
    remote.embed_text(NAME, "red")
    assert remote.ready([NAME])
    site.stop()
    with pytest.raises(ModelAway, match=f"{site.url} does not answer"):
        remote.embed_text(NAME, "blue")
    assert not remote.ready([NAME])
    site.start(RecipeModel())
    assert remote.embed_text(NAME, "blue")[2] == 1
    assert remote.ready([NAME])


def test_a_server_that_comes_back_with_another_model_gives_no_vectors_of_the_other_space(site, ask):
    site.start(RecipeModel("colour-1"))
    remote = ask(site.url)
    red = remote.embed_text(NAME, "red")
    site.stop()
    other = RecipeModel("colour-2")
    site.start(other)
    with pytest.raises(ModelAway, match="another one now: colour-2") as caught:
        remote.embed_text(NAME, "blue")
    assert caught.value.http_status == 503
    assert remote.fingerprint(NAME).space == "colour-2"
    # What is remembered belongs to the former space.
    assert remote.embed_text(NAME, "red") is not red
    assert other.texts_seen == ["warm-up", "red"]


def test_a_server_that_is_not_there_at_first_is_found_later(site, ask):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        site.port = probe.getsockname()[1]
    remote = ask(site.url, timeout_s=5)
    assert remote.readiness([NAME]) == Readiness(away=True)
    with pytest.raises(ModelAway):
        remote.fingerprint(NAME)
    site.start(RecipeModel())
    assert remote.ready([NAME])
    assert remote.fingerprint(NAME).space == "colour-1"


def test_a_server_that_says_nothing_is_away_after_the_timeout(ask):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote = ask(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2)
        with pytest.raises(ModelAway, match="timed out"):
            remote.embed_text(NAME, "red")


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b""],
)
def test_what_is_no_server_of_models_is_said_so(ask, answer):
    def reply(listener):
        # The client may ask once or twice, then the listener is closed.
        with suppress(OSError):
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=reply, args=(listener,), daemon=True).start()
        with pytest.raises(ModelAway, match="does not answer"):
            ask(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=5).fingerprint(NAME)


def test_a_model_that_is_still_loading_is_waited_for_by_asking_again(site, ask):
    served = site.start(RecipeModel(), load=False)
    remote = ask(site.url)
    assert remote.readiness([NAME]) == Readiness(waiting=frozenset({NAME}))
    with pytest.raises(ModelAway, match="still loading"):
        remote.embed_text(NAME, "red")
    served.load()
    assert remote.ready([NAME])
    assert remote.embed_text(NAME, "red")[0] == 1


def test_a_model_that_could_not_be_loaded_says_why(site, ask):
    class Broken:
        def __init__(self):
            raise OSError("no space left")

    served = site.start(None, load=False)
    served.embedding._loaders[NAME] = lambda _: Broken()
    served.load()
    remote = ask(site.url)
    with pytest.raises(ModelAway, match="no space left"):
        remote.embed_text(NAME, "red")
    readiness = remote.readiness([NAME, "other"])
    assert "no space left" in readiness.failed[NAME]
    assert "has no model 'other'" in readiness.failed["other"]


def test_a_busy_server_says_when_to_come_back(site, ask):
    model = RecipeModel()
    site.start(model, embedding={"queue": 1, "batch": 1})
    assert model.started.acquire(timeout=30)
    model.go.clear()
    remote = ask(site.url)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(remote.embed_text, NAME, "red")]
        assert model.started.acquire(timeout=30)
        waiting.append(pool.submit(remote.embed_text, NAME, "blue"))
        queue = site._served.embedding._slots[NAME].runner._texts._queue
        while not queue:
            threading.Event().wait(0.001)
        with pytest.raises(Overloaded, match="1 are waiting") as caught:
            remote.embed_text(NAME, "green")
        assert caught.value.retry_after_s == 1
        model.go.set()
        assert [future.result(30).argmax() for future in waiting] == [0, 2]


def test_a_server_with_users_wants_one(site, ask):
    site.start(RecipeModel(), auth={"users": f"gate:read:{hash_password('tiger')}"})
    with pytest.raises(ModelAway, match="HAVENGATE_EMBEDDING__PASSWORD") as caught:
        ask(site.url, user="gate", password="lion").embed_text(NAME, "red")
    assert "lion" not in caught.value.message
    with pytest.raises(ModelAway, match="HAVENGATE_EMBEDDING__USER"):
        ask(site.url).embed_text(NAME, "red")
    assert ask(site.url, user="gate", password="tiger").embed_text(NAME, "red")[0] == 1


def test_another_way_to_prepare_pictures_is_refused_where_there_are_pictures(site, ask):
    class Newer(RecipeModel):
        recipe = None

        def prepare(self, picture):
            return np.asarray(picture.resize((4, 4)), np.uint8)

    site.start(Newer())
    remote = ask(site.url)
    assert remote.embed_text(NAME, "red")[0] == 1
    with pytest.raises(ModelError, match="this version does not do"):
        remote.embed_pictures(NAME, PICTURES[:1])


def test_a_closed_service_asks_nobody(site, ask):
    site.start(RecipeModel())
    remote = ask(site.url)
    remote.embed_text(NAME, "red")
    remote.close()
    with pytest.raises(ModelError, match="closed"):
        remote.embed_text(NAME, "blue")


def test_the_doctor_asks_the_server_instead_of_looking_for_weights(site, tmp_path):
    site.start(RecipeModel())
    settings = Settings(data_dir=tmp_path / "none", embedding={"url": site.url})
    findings = {finding.what: finding for finding in examine(settings)}
    assert findings["model server"].ok
    assert not any(what.startswith("model builtin") for what in findings)
    site.stop()
    (finding,) = [finding for finding in examine(settings) if finding.what == "model server"]
    assert not finding.ok
    assert site.url in finding.detail


def test_a_gateway_starts_before_its_server(site, ask):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        site.port = probe.getsockname()[1]
    remote = ask(site.url)
    remote.warm_up([NAME])
    site.start(RecipeModel())
    assert remote.ready([NAME])


def test_a_gateway_prepares_for_a_clip_model_without_its_files(site, ask, clip_folder, tmp_path):
    """The real towers: their recipe goes over the wire."""
    files = ClipFiles(clip_folder, clip_folder, "clip", 512, "clip@1", "clip@1", tmp_path)
    model = load_clip(files, RuntimeSettings("torch", "cpu", "f32", 1))
    site.start(model)
    remote = ask(site.url)
    noise = np.random.default_rng(2).integers(0, 256, (90, 150, 3), dtype=np.uint8)
    pictures = [Image.fromarray(noise), Image.fromarray(noise[:, :70])]
    pixels = [remote.prepare(NAME, picture) for picture in pictures]
    assert np.array_equal(pixels, [model.prepare(picture) for picture in pictures])
    assert np.allclose(remote.embed_pixels(NAME, pixels), model.embed_pictures(np.stack(pixels)), atol=1e-4)
    assert np.allclose(remote.embed_text(NAME, "red shoes"), model.embed_texts(["red shoes"])[0], atol=1e-4)
