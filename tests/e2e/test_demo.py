"""`havengate demo` as a user runs it, and what it leaves behind."""

from PIL import Image
from support import run_cli


def test_the_demo_runs_and_runs_again_over_its_tables(tmp_path):
    data_dir = tmp_path / "data"
    assert "pushing" in run_cli(data_dir, "demo").stderr
    done = run_cli(data_dir, "demo", "--out", str(tmp_path / "out"))
    assert "pushing" not in done.stderr
    blocks = done.stdout.split("\n\n")
    by_words = {block.splitlines()[0]: block.splitlines()[1:] for block in blocks if "certificate" in block}
    assert len(by_words) == 16
    for headline, lines in by_words.items():
        assert ("Motocross" if " in general" in headline else "shoes") in lines[0], headline
        assert "n=10, exact" in lines[-1]
    assert sum(name.startswith(("摩托车&头盔", "鞋子")) for name in by_words) == 4
    html = (tmp_path / "out" / "contact-sheet.html").read_text(encoding="utf-8")
    assert "摩托车&amp;头盔" in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    with Image.open(tmp_path / "out" / "contact-sheet.png") as sheet:
        assert min(sheet.size) > 400
