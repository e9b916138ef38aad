"""The shipped pictures are whole, and their tables say of each what its file is."""

import json
from collections import Counter

import pytest

import examples
from havengate.folder_reader import open_reader
from havengate.images import decode_picture
from havengate.setting_groups import LimitSettings

LIMITS = LimitSettings()


def rows(name):
    lines = (examples.folder() / name / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(("name", "count"), [("general", 29), ("clothes", 120)])
def test_each_row_has_its_picture_and_each_picture_its_row(name, count):
    reader = open_reader(f"file://{examples.folder()}", name)
    table = rows(name)
    sides = [
        max(decode_picture(reader.read(row["vector_source_image"], LIMITS.picture_bytes), LIMITS).size) for row in table
    ]
    assert len(table) == count
    assert max(sides) <= {"general": 480, "clothes": 400}[name]
    assert {row["vector_source_image"] for row in table} == {
        f"/{file.name}" for file in (examples.folder() / name).glob("*.jpg")
    }
    assert {tuple(row) for row in table} == {("id", "vector_source_image", "cate_id", "title")}


def test_ids_are_unique_over_both_folders():
    ids = [row["id"] for name in ("general", "clothes") for row in rows(name)]
    assert len(set(ids)) == len(ids) == 149


def test_twelve_photos_of_each_class_in_alphabetical_order():
    table = rows("clothes")
    assert set(Counter(row["cate_id"] for row in table).values()) == {12}
    classes = [row["title"].rpartition(" ")[0] for row in table if row["title"].endswith(" 1")]
    assert classes == sorted(classes)
    assert [row["cate_id"] for row in table] == [classes.index(row["title"].rpartition(" ")[0]) + 11 for row in table]


def test_the_motocross_photo_does_not_stand_alone_in_its_category():
    table = rows("general")
    category = next(row["cate_id"] for row in table if row["vector_source_image"] == "/kodak05.jpg")
    assert sum(row["cate_id"] == category for row in table) >= 4


def test_all_files_together_are_small():
    assert sum(file.stat().st_size for file in examples.folder().rglob("*") if file.is_file()) < 5_000_000
