"""Both runtimes against transformers, on small models of the same architectures."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer, DistilBertModel, DistilBertTokenizer

import examples
from embedding.clip.files import ClipFiles
from embedding.clip.model import load_clip
from embedding.clip.runtime import RuntimeSettings

TEXTS = [
    "red shoes",
    "",
    "a",
    "红色的连衣裙",
    "摩托车头盔, it's 5 o'clock",
    "long " * 120,
    *(f"shoe {n}" for n in range(26)),
]
EXACT = [("torch", "f32"), ("openvino", "f32")]
# Half of the digits: what a CPU without bf16 computes under that name is better, never worse.
ROUNDED = [("torch", "bf16"), ("openvino", "bf16")]


@pytest.fixture(scope="module")
def photos():
    paths = sorted((Path(examples.__file__).parent / "general").glob("*.jpg"))
    return [Image.open(path).convert("RGB") for path in paths[:4]]


@pytest.fixture(scope="module")
def files(clip_folder, clip_json_folder, multilingual_folder, clip_graphs):
    return {
        "clip": ClipFiles(clip_folder, clip_folder, "clip", 512, "clip@1", "clip@1", clip_graphs),
        "json": ClipFiles(clip_json_folder, clip_json_folder, "clip", 512, "json@1", "json@1", clip_graphs),
        "multilingual": ClipFiles(
            clip_folder, multilingual_folder, "multilingual", 512, "clip@1", "multilingual@1", clip_graphs
        ),
    }


@pytest.fixture(scope="module")
def load(files):
    loaded = {}

    def get(kind, runtime, precision):
        key = kind, runtime, precision
        if key not in loaded:
            loaded[key] = load_clip(files[kind], RuntimeSettings(runtime, "cpu", precision, 1))
        return loaded[key]

    return get


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(3).integers(0, 256, (32, 64, 64, 3), dtype=np.uint8)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@torch.inference_mode()
def clip_reference(folder, photos, texts):
    """transformers from end to end, every text alone."""
    model, tokenizer = CLIPModel.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder)
    pixels = CLIPImageProcessorPil.from_pretrained(folder)(photos, return_tensors="pt")
    rows = []
    for text in texts:
        tokens = tokenizer([text], truncation=True, max_length=77, return_tensors="pt")
        both = model(**tokens, **pixels)
        rows.append(both.text_embeds[0].numpy())
    return both.image_embeds.numpy(), np.stack(rows)


@torch.inference_mode()
def multilingual_reference(folder, texts):
    network, tokenizer = DistilBertModel.from_pretrained(folder), DistilBertTokenizer.from_pretrained(folder)
    dense = load_file(folder / "2_Dense" / "model.safetensors")["linear.weight"]
    tokens = [tokenizer([text], truncation=True, max_length=128, return_tensors="pt") for text in texts]
    return unit(np.stack([(dense @ network(**each).last_hidden_state[0].mean(0)).numpy() for each in tokens]))


@pytest.fixture(scope="module")
def references(clip_folder, clip_json_folder, multilingual_folder, photos):
    pictures, texts = clip_reference(clip_folder, photos, TEXTS)
    return {
        "clip": (pictures, texts),
        "json": clip_reference(clip_json_folder, photos, TEXTS),
        "multilingual": (pictures, multilingual_reference(multilingual_folder, TEXTS)),
    }


def cosines(rows, wanted):
    return (unit(rows) * unit(wanted)).sum(-1)


@pytest.mark.parametrize("kind", ["clip", "json", "multilingual"])
@pytest.mark.parametrize("numerics", [*EXACT, *ROUNDED])
def test_vectors_are_those_of_transformers(load, references, photos, kind, numerics):
    model = load(kind, *numerics)
    pictures, texts = references[kind]
    made = model.embed_pictures(np.stack([model.prepare(photo) for photo in photos])), model.embed_texts(TEXTS)
    for rows, wanted in zip(made, (pictures, texts), strict=True):
        assert rows.dtype == np.float32
        assert rows.shape == wanted.shape
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
        # Measured in bf16: .99994 with weights as large as transformers makes them, .9993 with five times that.
        rounded = 0.9999 if kind == "json" else 0.999
        assert cosines(rows, wanted).min() >= (0.999999 if numerics in EXACT else rounded)
        # Otherwise any row would pass for any other.
        assert cosines(wanted[0], wanted[1:]).max() < 0.99


@pytest.mark.parametrize("kind", ["clip", "multilingual"])
@pytest.mark.parametrize(("runtime", "precision"), [*EXACT, ("openvino", "bf16")])
def test_alone_and_among_31_others_a_vector_is_the_same(load, noise, kind, runtime, precision):
    model = load(kind, runtime, precision)
    alone = np.concatenate([model.embed_pictures(row[None]) for row in noise])
    assert np.abs(model.embed_pictures(noise) - alone).max() < 1e-4
    alone = np.concatenate([model.embed_texts([text]) for text in TEXTS])
    assert np.abs(model.embed_texts(TEXTS) - alone).max() < 1e-4
    assert np.abs(model.embed_texts(TEXTS[::-1]) - alone[::-1]).max() < 1e-4


def test_openvino_runs_in_the_precision_and_threads_of_the_settings(files):
    for precision, of_pictures, of_texts in (("f32", 2, 1), ("bf16", 1, 2)):
        model = load_clip(files["clip"], RuntimeSettings("openvino", "cpu", precision, of_pictures, of_texts))
        for tower, threads in ((model._picture, of_pictures), (model._text, of_texts)):
            compiled = tower._request.get_compiled_model()
            assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == precision
            assert compiled.get_property("INFERENCE_NUM_THREADS") == threads
            assert compiled.get_property("NUM_STREAMS") == 1


def test_torch_runs_with_the_threads_of_the_settings(files):
    before = torch.get_num_threads()
    model = load_clip(files["clip"], RuntimeSettings("torch", "cpu", "f32", before + 1))
    model.embed_texts(["a"])
    assert torch.get_num_threads() == before + 1
    torch.set_num_threads(before)


def test_the_vector_of_one_call_is_not_overwritten_by_the_next(load, noise):
    model = load("clip", "openvino", "f32")
    first = model.embed_pictures(noise[:1])
    kept = first.copy()
    model.embed_pictures(noise[1:2])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_no_texts_are_no_rows(load, runtime):
    assert load("clip", runtime, "f32").embed_texts([]).shape == (0, 512)


def test_a_converted_model_is_served_without_torch(load, files):
    wanted = load("multilingual", "openvino", "f32").embed_texts(["red shoes"])[0]
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from embedding.clip.files import ClipFiles\n"
        "from embedding.clip.model import load_clip\n"
        "from embedding.clip.runtime import RuntimeSettings\n"
        f"files = ClipFiles(Path({str(files['multilingual'].picture)!r}), Path({str(files['multilingual'].text)!r}),\n"
        f"    'multilingual', 512, 'clip@1', 'multilingual@1', Path({str(files['multilingual'].cache)!r}))\n"
        "model = load_clip(files, RuntimeSettings('openvino', 'cpu', 'f32', 1))\n"
        "print(sorted({'torch', 'transformers', 'safetensors'} & sys.modules.keys()))\n"
        "print(float(model.embed_texts(['red shoes'])[0][0]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, number = done.stdout.splitlines()
    assert loaded == "[]"
    assert float(number) == pytest.approx(float(wanted[0]), abs=1e-6)


def test_towers_that_models_share_are_converted_once(load, clip_graphs):
    for kind in ("clip", "json", "multilingual"):
        load(kind, "openvino", "f32")
        load(kind, "openvino", "bf16")
    # Two picture towers; two text towers of CLIP and the multilingual one.
    assert len(list(clip_graphs.glob("f32-*/tower.xml"))) == 5
    assert not list(clip_graphs.glob(".partial"))
