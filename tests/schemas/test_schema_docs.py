import re
from pathlib import Path

from schemas.findings import ERRORS, LEVELS, WARNINGS

PAGE = Path(__file__).parents[2] / "docs" / "schemas.md"


def test_the_page_lists_every_rule_with_its_level_and_sentence():
    rows = re.findall(r"^\| `([\w-]+)` \| (error|warning) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    sentences = ERRORS | WARNINGS
    assert rows == [(rule, level, sentences[rule]) for rule, level in LEVELS.items()]
