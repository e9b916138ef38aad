"""Texts -> token numbers as transformers' tokenizers give them, by the `tokenizers` library alone."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from embedding.clip import sentence_files
from embedding.clip.files import read_json
from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from embedding.clip.files import ClipFiles

STEP = 8
"""Lengths are rounded up to this many tokens: few graphs, little waste, and the same length whatever is in a batch."""

_START, _END = "<|startoftext|>", "<|endoftext|>"
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # openai/CLIP's


class Bucket(NamedTuple):
    """Texts of about one length: their places among all, int64 ids and mask [texts, length]."""

    rows: list[int]
    ids: npt.NDArray[np.int64]
    mask: npt.NDArray[np.int64]


class TextReader:
    """Texts of any length, also none, cut off at the tower's longest. Thread-safe.

    Raises ModelError when made: files missing, or numbers that the tower's vocabulary does not have.
    """

    def __init__(self, files: ClipFiles) -> None:
        config = read_json(files.text, "config.json")
        tower = config if files.text_kind == "multilingual" else config.get("text_config", config)
        self._tokenizer = _open(files.text)
        self._longest = _longest(files, tower)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._longest)
        _check(self._tokenizer, tower, files)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text, with the start and end tokens."""
        # encode_batch would start threads on all cores, for texts that take some 20 microseconds each.
        return [self._tokenizer.encode(text).ids for text in texts]

    def buckets(self, texts: Sequence[str]) -> Iterator[Bucket]:
        """The texts by rounded length. Filled up with the end token, which attention or the mask leaves out."""
        encoded = self.ids(texts)
        by_length: dict[int, list[int]] = defaultdict(list)
        for row, ids in enumerate(encoded):
            by_length[min(-(-len(ids) // STEP) * STEP, self._longest)].append(row)
        for length, rows in by_length.items():
            filled = [encoded[row] + encoded[row][-1:] * (length - len(encoded[row])) for row in rows]
            lengths = np.array([len(encoded[row]) for row in rows])
            mask = np.arange(length) < lengths[:, None]
            yield Bucket(rows, np.array(filled, np.int64), mask.astype(np.int64))


def _open(folder: Path) -> Tokenizer:
    try:
        if (folder / "tokenizer.json").is_file():
            return Tokenizer.from_file(str(folder / "tokenizer.json"))
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            return _clip_tokenizer(folder)
    except Exception as error:  # the library raises Exception itself
        raise ModelError(f"{folder}: the tokenizer cannot be read: {error}") from error
    raise ModelError(f"{folder}: tokenizer.json is missing (or vocab.json and merges.txt)")


def _clip_tokenizer(folder: Path) -> Tokenizer:
    """CLIP's byte-level BPE from its first files, as transformers builds it (CLIPTokenizer)."""
    model = models.BPE.from_file(
        str(folder / "vocab.json"),
        str(folder / "merges.txt"),
        continuing_subword_prefix="",
        end_of_word_suffix="</w>",
        fuse_unk=False,
        unk_token=_END,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([_START, _END])
    end, start = (tokenizer.token_to_id(token) or 0 for token in (_END, _START))
    tokenizer.post_processor = processors.RobertaProcessing((_END, end), (_START, start), False, False)
    return tokenizer


def _longest(files: ClipFiles, tower: dict[str, object]) -> int:
    given = sentence_files.max_tokens(files.text) if files.text_kind == "multilingual" else None
    positions = int(str(tower.get("max_position_embeddings", 77 if files.text_kind == "clip" else 512)))
    return positions if given is None else min(given, positions)


def _check(tokenizer: Tokenizer, tower: dict[str, object], files: ClipFiles) -> None:
    vocabulary = int(str(tower.get("vocab_size", 49408 if files.text_kind == "clip" else 30522)))
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if highest >= vocabulary:
        raise ModelError(f"{files.text}: the tokenizer has token {highest}, the tower's vocabulary {vocabulary}")
    if files.text_kind == "clip":
        # Elsewhere the tower would silently take the vector of the first token.
        ids, end = tokenizer.encode("").ids, tower.get("eos_token_id", 49407)
        wanted = max(ids, default=None) if end == 2 else end  # noqa: PLR2004  openai's files say 2 and mean the highest
        if not ids or ids[-1] != wanted:
            raise ModelError(f"{files.text}: the tokenizer ends texts with {ids[-1:]}, the tower looks for {wanted}")
