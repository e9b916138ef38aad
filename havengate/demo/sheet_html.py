"""The contact sheet as one HTML file: no script, no address, pictures as data URIs."""

from __future__ import annotations

import base64
from html import escape
from string import Template
from typing import TYPE_CHECKING

from havengate.images import thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from havengate.demo.contact_sheet import Panel, Shown

_SIDE = 320  # tiles are half as wide, so that dense screens show them sharp

_STYLE = """
:root { color-scheme: light dark; --page: #f4f4f1; --card: #fff; --ink: #1c1d1f; --soft: #6a6d73; --line: #e4e4df;
  --mark: #b4431f; }
@media (prefers-color-scheme: dark) {
  :root { --page: #131416; --card: #1d1f22; --ink: #ececea; --soft: #9a9ea6; --line: #2e3136; --mark: #f08a5d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.4;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei",
    "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif; }
body > header, main { max-width: 1320px; margin: 0 auto; padding: 0 24px; }
body > header { padding-top: 44px; padding-bottom: 20px; }
h1 { margin: 0; font-size: 30px; font-weight: 650; letter-spacing: -.015em; }
body > header p { margin: 6px 0 0; color: var(--soft); }
section { display: grid; grid-template-columns: 250px 1fr; gap: 28px; margin: 0 0 18px; padding: 24px;
  background: var(--card); border: 1px solid var(--line); border-radius: 14px; }
h2 { margin: 0; font-size: 21px; font-weight: 620; line-height: 1.25; overflow-wrap: anywhere; }
.gloss { margin: 4px 0 0; color: var(--soft); font-size: 16px; }
.note { margin: 12px 0 0; color: var(--soft); font-size: 13px; white-space: pre-line; overflow-wrap: anywhere; }
.asked { display: block; width: 132px; margin: 14px 0 0; border-radius: 8px; outline: 3px solid var(--mark);
  outline-offset: 2px; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); gap: 18px; margin: 0; padding: 0;
  list-style: none; }
figure { margin: 0; }
li img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px; background: var(--line); }
figcaption { margin-top: 8px; font-size: 14px; line-height: 1.3; overflow-wrap: anywhere; }
figcaption small { display: block; margin-top: 1px; color: var(--soft); font-size: 12.5px;
  font-variant-numeric: tabular-nums; }
.none { color: var(--soft); }
body > footer { height: 30px; }
@media (max-width: 760px) { section { grid-template-columns: 1fr; } }
@media print { section { break-inside: avoid; } }
"""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$heading</title>
<style>$style</style>
</head>
<body>
<header><h1>$heading</h1><p>$summary</p></header>
<main>
$panels
</main>
<footer></footer>
</body>
</html>
""")

_PANEL = Template("""<section>
<div><h2>$query</h2>$gloss<p class="note">$note</p>$asked</div>
$hits
</section>""")

_HIT = Template(
    '<li><figure><img src="$picture" alt="$title" loading="lazy">'
    "<figcaption>$rank. $title<small>$category</small><small>$distance</small></figcaption></figure></li>"
)


def page(panels: Sequence[Panel], heading: str) -> str:
    """The whole document. Raises PictureError for bytes that are no picture."""
    return _PAGE.substitute(
        heading=escape(heading),
        style=_STYLE,
        summary=f"{len(panels)} {'query' if len(panels) == 1 else 'queries'}, nearest pictures first",
        panels="\n".join(_panel(panel) for panel in panels),
    )


def _panel(panel: Panel) -> str:
    hits = "\n".join(_hit(rank, hit) for rank, hit in enumerate(panel.hits, 1))
    asked = panel.query_picture
    return _PANEL.substitute(
        query=escape(panel.query),
        gloss=f'<p class="gloss">{escape(panel.gloss)}</p>' if panel.gloss else "",
        note=escape(panel.note),
        asked="" if asked is None else f'<img class="asked" src="{_data_uri(asked)}" alt="the picture searched with">',
        hits=f"<ol>\n{hits}\n</ol>" if hits else '<p class="none">no pictures found</p>',
    )


def _hit(rank: int, hit: Shown) -> str:
    return _HIT.substitute(
        rank=rank,
        picture=_data_uri(hit.picture),
        title=escape(hit.title),
        category=escape(hit.category),
        distance=escape(hit.distance),
    )


def _data_uri(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(picture, _SIDE)).decode()
