import json
import shutil

import numpy as np
import pytest
from transformers import CLIPTokenizer, DistilBertTokenizer

from embedding.clip.files import ClipFiles
from embedding.clip.tokens import STEP, TextReader
from havengate.errors import ModelError

TEXTS = [
    "",
    " ",
    "?",
    "a photo of a cat",
    "  A\tPHOTO\n of  a CAT!! ",
    "Ünïcödé café naïve \u0065\u0301",
    "it's 12345 o'clock, they'll go",
    "红色的连衣裙",
    "摩托车 & 头盔, red shoes",
    "emoji 😀👍🏽 \u200b zero width \x00 null",
    "<|startoftext|> in the middle <|endoftext|> and on",
    "[SEP] [MASK] red shoes",
    "word " * 300,
    "摩托车" * 200,
    "x" * 1024,
]


def files(folder, kind):
    return ClipFiles(folder, folder, kind, 512, "test", "test", folder / "cache")


@pytest.mark.parametrize("name", ["clip_folder", "clip_json_folder"])
def test_clip_token_numbers_are_those_of_transformers(request, name):
    folder = request.getfixturevalue(name)
    reference = CLIPTokenizer.from_pretrained(folder)
    wanted = reference(TEXTS, truncation=True, max_length=77)["input_ids"]
    assert TextReader(files(folder, "clip")).ids(TEXTS) == wanted
    assert {len(ids) for ids in wanted[-3:-1]} == {77}


def test_multilingual_token_numbers_are_those_of_transformers(multilingual_folder):
    reference = DistilBertTokenizer.from_pretrained(multilingual_folder)
    wanted = reference(TEXTS, truncation=True, max_length=128)["input_ids"]
    assert TextReader(files(multilingual_folder, "multilingual")).ids(TEXTS) == wanted
    assert max(map(len, wanted)) == 128


def test_padding_and_truncation_that_a_tokenizer_file_brings_are_not_taken_over(tmp_path, clip_json_folder):
    folder = shutil.copytree(clip_json_folder, tmp_path / "clip")
    content = json.loads((folder / "tokenizer.json").read_text())
    content["truncation"] = {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {"strategy": {"Fixed": 20}, "direction": "Left", "pad_to_multiple_of": None}
    content["padding"] |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "!"}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    plain = TextReader(files(clip_json_folder, "clip")).ids(TEXTS)
    assert TextReader(files(folder, "clip")).ids(TEXTS) == plain


@pytest.mark.parametrize("kind", ["clip", "multilingual"])
def test_buckets_hold_every_text_once_at_a_length_of_its_own_making(clip_folder, multilingual_folder, kind):
    reader = TextReader(files(clip_folder if kind == "clip" else multilingual_folder, kind))
    encoded = reader.ids(TEXTS)
    seen = []
    for rows, ids, mask in reader.buckets(TEXTS):
        seen += rows
        assert ids.shape == mask.shape
        assert ids.dtype == mask.dtype == np.int64
        assert ids.shape[1] % STEP == 0 or ids.shape[1] == 77
        for row, numbers, marks in zip(rows, ids, mask, strict=True):
            assert numbers[marks == 1].tolist() == encoded[row]
            assert (numbers[marks == 0] == encoded[row][-1]).all()
            assert ids.shape[1] - len(encoded[row]) < STEP
    assert sorted(seen) == list(range(len(TEXTS)))


def test_no_texts_are_no_buckets(clip_folder):
    assert list(TextReader(files(clip_folder, "clip")).buckets([])) == []


def test_a_folder_without_a_tokenizer_is_refused(tmp_path, clip_folder):
    shutil.copy(clip_folder / "config.json", tmp_path)
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing \(or vocab\.json and merges\.txt\)"):
        TextReader(files(tmp_path, "clip"))


def test_a_damaged_tokenizer_is_refused(tmp_path, clip_folder):
    shutil.copy(clip_folder / "config.json", tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(ModelError, match="the tokenizer cannot be read"):
        TextReader(files(tmp_path, "clip"))


def changed_config(folder, target, **text_config):
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    config["text_config"] |= text_config
    (target / "config.json").write_text(json.dumps(config))
    return target


def test_a_tokenizer_with_more_tokens_than_the_tower_is_refused(tmp_path, clip_folder):
    folder = changed_config(clip_folder, tmp_path / "small", vocab_size=1000)
    with pytest.raises(ModelError, match="the tokenizer has token 49407, the tower's vocabulary 1000"):
        TextReader(files(folder, "clip"))


def test_a_tower_that_looks_for_another_end_token_is_refused(tmp_path, clip_folder):
    folder = changed_config(clip_folder, tmp_path / "end", eos_token_id=7)
    with pytest.raises(ModelError, match=r"ends texts with \[49407\], the tower looks for 7"):
        TextReader(files(folder, "clip"))
