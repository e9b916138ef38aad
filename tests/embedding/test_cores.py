import os

import pytest

from embedding.clip.runtime import resolve
from embedding.cores import usable_cores
from havengate.setting_groups import EmbeddingSettings


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 6), ("250000 100000", 2), ("50000 100000", 1), ("900000 100000", 6), ("nonsense", 6), ("1 0", 6)],
)
def test_a_containers_quota_counts_and_the_affinity(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert usable_cores(tmp_path / "cpu.max") == cores
    assert usable_cores(tmp_path / "none") == 6


def test_pictures_take_the_cores_and_texts_one_unless_told_otherwise():
    own = resolve(EmbeddingSettings(device="cpu"))
    assert (own.threads, own.text_threads) == (usable_cores(), 1)
    told = resolve(EmbeddingSettings(device="cpu", threads=3))
    assert (told.threads, told.text_threads) == (3, 3)
