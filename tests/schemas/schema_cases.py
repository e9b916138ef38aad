"""Data files, and the three operations of JSON Patch (RFC 6902) that the cases are written in."""

import copy
import json
from pathlib import Path

DATA = Path(__file__).parent / "data"
VENDOR_SAMPLES = ("oss_path_keys", "oss_path_slr", "base64")


def load(name):
    return json.loads((DATA / f"{name}.json").read_text("utf-8"))


def patched(document, changes):
    document = copy.deepcopy(document)
    for change in changes:
        *parents, last = change["path"].split("/")[1:]
        target = document
        for step in parents:
            target = target[int(step)] if isinstance(target, list) else target[step]
        _apply(target, last, change)
    return document


def _apply(target, key, change):
    place = (len(target) if key == "-" else int(key)) if isinstance(target, list) else key
    if change["op"] == "add" and isinstance(target, list):
        target.insert(place, change["value"])
    elif change["op"] == "remove":
        del target[place]
    else:
        known = place in target if isinstance(target, dict) else place < len(target)
        assert known == (change["op"] == "replace"), change
        target[place] = change["value"]
