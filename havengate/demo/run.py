"""`havengate demo`: tables from bundled photos, a gateway, the vendor's SDK samples, a contact sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from havengate.demo.contact_sheet import Panel, Shown, write_contact_sheet
from havengate.demo.process import gateway
from havengate.demo.samples import TEXT_SAMPLE, Sample, SampleClient, picture_query, text_query
from havengate.demo.tables import CLOTHES, GENERAL, create_tables, folder, photo, push_clothes, rows
from havengate.errors import SettingsError

if TYPE_CHECKING:
    from havengate.settings import Settings

_HELMET_ZH = "5pGp5omY6L2mJuWktOeblA=="
_SPORT = "cate_id=1"
_SHOES = "cate_id=17"


def build_tables(settings: Settings) -> None:
    """The demo's tables, complete. Raises SettingsError without the demo extra, DataFolderBusy."""
    _need_sdk()
    if create_tables(settings):
        with gateway(settings.data_dir) as endpoint:
            push_clothes(SampleClient(endpoint), settings)
    click.echo(f"tables {GENERAL} and {CLOTHES} are in {settings.data_dir}")


def run_demo(settings: Settings, out: Path) -> None:
    """Everything the demo shows; the contact sheet's two files go to ``out``."""
    _need_sdk()
    out.mkdir(parents=True, exist_ok=True)
    clothes_missing = create_tables(settings)
    with gateway(settings.data_dir) as endpoint:
        click.echo(f"gateway on {endpoint}")
        client = SampleClient(endpoint)
        if clothes_missing:
            push_clothes(client, settings)
        panels = [_run(client, sample) for sample in samples()]
    html, png = out / "contact-sheet.html", out / "contact-sheet.png"
    write_contact_sheet(panels, html, png, heading="havengate: pictures found by words and by a picture")
    click.echo(f"\ncontact sheet: {html.resolve()}\n               {png.resolve()}")


def samples() -> list[Sample]:
    """The vendor's sample queries on both tables, each with and without a filter."""
    motocross = _detail(folder() / GENERAL / "kodak05.jpg")
    shoe = _detail(folder() / CLOTHES / "shoes-03.jpg")
    shoes_zh = base64.b64encode("鞋子".encode()).decode()
    return [
        Sample("motorcycle helmet", "", f"in {GENERAL}, the vendor's sample as printed", TEXT_SAMPLE),
        _words("motorcycle helmet", "", GENERAL, "motorcycle helmet", _SPORT),
        _words("摩托车&头盔", "motorcycle & helmet", GENERAL, _HELMET_ZH),
        _words("摩托车&头盔", "motorcycle & helmet", GENERAL, _HELMET_ZH, _SPORT),
        *_pictures(GENERAL, motocross, _SPORT),
        _words("shoes", "", CLOTHES, "shoes"),
        _words("shoes", "", CLOTHES, "shoes", _SHOES),
        _words("鞋子", "shoes", CLOTHES, shoes_zh),
        _words("鞋子", "shoes", CLOTHES, shoes_zh, _SHOES),
        *_pictures(CLOTHES, shoe, _SHOES),
    ]


def _words(words: str, gloss: str, table: str, content: str, filter_: str = "") -> Sample:
    return Sample(words, gloss, _where(table, filter_), text_query(table, content, filter_))


def _pictures(table: str, picture: bytes, filter_: str) -> list[Sample]:
    return [
        Sample(
            f"a picture by {method}", "", _where(table, chosen), picture_query(table, picture, chosen), method, picture
        )
        for method in ("GET", "POST")
        for chosen in ("", filter_)
    ]


def _where(table: str, filter_: str) -> str:
    return f"in {table}" + (f" where {filter_}" if filter_ else "")


def _detail(path: Path) -> bytes:
    """The middle of a photo, mirrored: a picture that no row holds."""
    from PIL import Image, ImageOps

    with Image.open(path) as photo:
        width, height = photo.size
        box = (width // 8, height // 8, width - width // 8, height - height // 8)
        out = io.BytesIO()
        ImageOps.mirror(photo.convert("RGB").crop(box)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _run(client: SampleClient, sample: Sample) -> Panel:
    result = client.search(sample.query, sample.method)["result"]
    items, certificate = result["items"], result["certificate"]
    proof = (
        f"{certificate['returned']} of {certificate['matched']} matching rows in the pool "
        f"(n={certificate['requested']}, {certificate['strategy']})"
    )
    click.echo(f"\n{sample.words}  " + (f"({sample.gloss})  " if sample.gloss else "") + sample.where)
    for item in items:
        fields = item["fields"]
        category, title = fields.get("cate_id", ""), fields.get("title", "")
        click.echo(f"  {fields['id']:>4}  {item['score']:.4f}  cate_id={category:<3} {title}")
    click.echo(f"  certificate: {proof}")
    return Panel(sample.words, sample.gloss, f"{sample.where}\n{proof}", sample.picture, _shown(items))


def _shown(items: Sequence[dict[str, Any]]) -> list[Shown]:
    # Rows that a user has added have no photo here.
    files = {str(row["id"]): photo(row) for row in rows(GENERAL)}
    return [
        Shown(
            title=item["fields"].get("title", ""),
            category=f"category {item['fields'].get('cate_id', '')}",
            distance=f"{item['score']:.3f}",
            picture=files[item["fields"]["id"]].read_bytes(),
        )
        for item in items
        if item["fields"]["id"] in files
    ]


def _need_sdk() -> None:
    from importlib.util import find_spec

    if find_spec("alibabacloud_ha3engine") is None:
        raise SettingsError("the demo needs the vendor's SDK: pip install 'havengate[demo]'")
