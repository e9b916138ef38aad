"""`havengate ingest` as a user runs it, on a folder as it is found on disks."""

import json
import os

from colour_model import picture
from support import run_cli

from havengate.cli.common import printable
from schemas.templates import template

RED = picture("red")


def test_a_terminal_sees_no_control_characters():
    assert printable("a\x1b[31m\u202eb\udcff 红.png") == r"a\x1b[31m\u202eb\udcff 红.png"


def test_ingest_survives_odd_names_and_counts_other_files(tmp_path):
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    (tmp_path / "elsewhere.png").write_bytes(RED)
    for name in (b"good.png", b"\x1b[31m\xff.png", b"notes.txt"):
        (bucket / os.fsdecode(name)).write_bytes(RED)
    (bucket / "out.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "schema.json").write_text(json.dumps(template("oss", endpoint=bucket.as_uri()).to_json()))
    data_dir, small = tmp_path / "data", {"HAVENGATE_PUSH__MAX_PICTURES": "1"}
    run_cli(data_dir, "table", "create", "t", "--schema", str(tmp_path / "schema.json"))
    done = run_cli(data_dir, "ingest", "t", str(bucket), check=False, env=small)
    assert (done.returncode, done.stdout) == (1, "1 rows in, 2 rejected\n")
    assert r"\x1b[31m\udcff.png: the file's name is not UTF-8" in done.stderr
    assert "a link that leads out of the picture folder" in done.stderr
    assert "1 other files left out" in done.stderr
