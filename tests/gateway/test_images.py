"""GET /images: which picture comes, how large, in what form, and what is said where there is none."""

from urllib.parse import quote

import pytest
from pictures_site import Site, colour, corners, opened, plain, quarters, saved, two_pictures
from support import open_colour_services

from havengate.errors import EngineError
from schemas.templates import template

QUARTERS = ["red", "green", "blue", "white"]


@pytest.fixture
def services(settings, model):
    opened = open_colour_services(settings, model)
    yield opened
    opened.close()


@pytest.fixture
def site(services):
    site = Site(services)
    site.create("photos")
    return site


@pytest.fixture
def folder_site(services, tmp_path):
    """Two pictures a row, in a folder."""
    (tmp_path / "bucket").mkdir()
    site = Site(services)
    site.create("shop", two_pictures((tmp_path / "bucket").as_uri()))
    return site


def test_a_thumbnail_is_the_picture_with_160_pixels_on_its_longest_side(site):
    site.keep("photos", "a", saved(quarters(800, 400)))
    answer = site.get("/images/photos/a")
    assert (answer.status_code, answer.content_type) == (200, "image/jpeg")
    assert opened(answer.data).size == (160, 80)
    assert corners(answer.data) == QUARTERS
    assert answer.headers["Content-Length"] == str(len(answer.data))


@pytest.mark.parametrize(("size", "expected"), [("16", (16, 8)), ("300", (300, 150)), ("1024", (800, 400))])
def test_size_is_asked_for_and_never_larger_than_the_picture(site, size, expected):
    site.keep("photos", "a", saved(quarters(800, 400)))
    assert opened(site.get(f"/images/photos/a?size={size}").data).size == expected


@pytest.mark.parametrize("size", ["15", "1025", "0", "-20", "1e2", "160.0", "", "٤٠", "9" * 5000])
def test_other_sizes_are_refused(site, size):
    answer = site.get("/images/photos/a", query_string={"size": size})
    assert (answer.status_code, answer.json["code"]) == (400, "400")
    assert answer.json["message"].startswith("size is a whole number from 16 to 1024")


def test_a_parameter_that_is_none_is_refused_by_name_and_not_by_value(site):
    answer = site.get("/images/photos/a?tokn=secret")
    assert answer.status_code == 400
    assert "'tokn'" in answer.json["message"]
    assert "secret" not in answer.text


TURNED = {
    1: ["red", "green", "blue", "white"],
    2: ["green", "red", "white", "blue"],
    3: ["white", "blue", "green", "red"],
    4: ["blue", "white", "red", "green"],
    5: ["red", "blue", "green", "white"],
    6: ["blue", "red", "white", "green"],
    7: ["white", "green", "blue", "red"],
    8: ["green", "white", "red", "blue"],
}


@pytest.mark.parametrize("turn", TURNED)
def test_it_stands_upright_and_says_nothing_of_the_camera(site, turn):
    picture = quarters(640, 320)
    exif = picture.getexif()
    exif[0x0112], exif[0x010E] = turn, "where I live"
    site.keep("photos", "a", saved(picture, "JPEG", quality=95, exif=exif, comment=b"where I live"))
    data = site.get("/images/photos/a").data
    assert opened(data).size == ((160, 80) if turn < 5 else (80, 160))
    assert corners(data) == TURNED[turn]
    assert b"where I live" not in data
    assert not dict(opened(data).getexif())


def test_what_is_transparent_stays_so_as_webp(site):
    picture = quarters(400, 400, "RGBA")
    picture.paste((0, 0, 0, 0), (100, 100, 300, 300))
    site.keep("photos", "a", saved(picture, icc_profile=b"x" * 200))
    answer = site.get("/images/photos/a")
    assert answer.content_type == "image/webp"
    shown = opened(answer.data)
    assert (shown.format, shown.size, shown.mode) == ("WEBP", (160, 160), "RGBA")
    assert shown.getpixel((80, 80))[3] == 0
    assert shown.getpixel((5, 5))[3] == 255
    assert corners(answer.data) == QUARTERS
    assert "icc_profile" not in shown.info


def test_an_alpha_channel_that_hides_nothing_is_no_transparency(site):
    site.keep("photos", "a", saved(quarters(400, 400, "RGBA")))
    assert site.get("/images/photos/a").content_type == "image/jpeg"


def test_of_an_animation_the_first_frame(site):
    frames = [quarters(200, 200), quarters(200, 200).rotate(180)]
    site.keep("photos", "a", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert corners(site.get("/images/photos/a").data) == QUARTERS


@pytest.mark.parametrize(
    "key",
    [
     "a/b/c.jpg", "/a", "//a//", "a/", ".", "..", "../../etc/passwd", "摩托车 1", "100%", "%2F", "a?b#c", "a+b",
     "ä" * 512, "a\nb", "<script>", "token=1", "&size=16", "\\", "\ufffd", "x" * 512],
)  # fmt: skip
def test_any_key_can_be_asked_for(site, key):
    site.keep("photos", "other", plain("blue"))
    site.keep("photos", key, plain("green"))
    answer = site.get(f"/images/photos/{quote(key, safe='')}")
    assert answer.status_code == 200
    assert colour(answer.data) == "green"


def test_slashes_of_a_key_need_no_encoding(site):
    site.keep("photos", "/a/b c.jpg", plain("green"))
    assert colour(site.get("/images/photos//a/b%20c.jpg").data) == "green"


def test_an_integer_key_is_one_in_whatever_spelling(site):
    site.create("numbers", template("base64"))
    site.keep("numbers", 7, plain("green"))
    assert colour(site.get("/images/numbers/7").data) == "green"
    assert colour(site.get("/images/numbers/007").data) == "green"
    for key in ("8", "seven", "7.0", "9" * 30, "7/", "x" * 100_000):
        assert site.get(f"/images/numbers/{key}").status_code == 404


def test_what_is_not_there_is_a_404_in_json(site):
    site.keep("photos", "a", plain("red"))
    site.push("photos", {"id": "bare"})
    said = {
        path: site.get(path)
        for path in (
            "/images/shoes/a",
            "/images/photos@g1/a",
            "/images/general/a",
            "/images/photos/b",
            "/images/photos/bare",
            "/images/photos/a?field=title",
            "/images/photos/" + "x" * 100_000,
            "/images/photos/a%00",
        )
    }
    assert {answer.status_code for answer in said.values()} == {404}
    assert {answer.json["code"] for answer in said.values()} == {"404"}
    assert {answer.headers["Cache-Control"] for answer in said.values()} == {"no-store"}
    assert all(len(answer.text) < 200 for answer in said.values())
    assert said["/images/photos/b"].json["message"] == "no row 'b'"
    assert said["/images/photos/bare"].json["message"] == "row 'bare' has no picture"
    assert said["/images/photos/a?field=title"].json["message"] == "no picture field 'title'"


def test_a_table_that_keeps_no_pictures_has_none_to_show(site):
    site.create("thin", store_source=False)
    site.keep("thin", "a", plain("red"))
    assert site.get("/images/thin/a").status_code == 404


def test_of_several_picture_fields_the_first_unless_one_is_named(folder_site, tmp_path):
    (tmp_path / "bucket" / "front.png").write_bytes(plain("red"))
    (tmp_path / "bucket" / "back.png").write_bytes(plain("blue"))
    folder_site.push("shop", {"id": "a", "vector_source_image": "front.png", "back": "/back.png"})
    assert colour(folder_site.get("/images/shop/a").data) == "red"
    assert colour(folder_site.get("/images/shop/a?field=vector_source_image").data) == "red"
    assert colour(folder_site.get("/images/shop/a?field=back").data) == "blue"
    assert folder_site.get("/images/shop/a?field=back_vector").status_code == 404


def test_files_that_are_gone_broken_or_elsewhere_are_no_pictures_and_name_no_folder(folder_site, tmp_path):
    bucket = tmp_path / "bucket"
    vector = [0.0] * 512
    whole = saved(quarters(400, 400))
    files = {
        "cut.png": whole[: len(whole) // 2],
        "text.png": b"hello",
        "empty.png": b"",
        "large.png": b"\x89PNG" * 2**22,
    }
    for name, data in files.items():
        (bucket / name).write_bytes(data)
    (tmp_path / "secret.png").write_bytes(plain("red"))
    (bucket / "link.png").symlink_to(tmp_path / "secret.png")
    (bucket / "folder.png").mkdir()
    for path in (*files, "gone.png", "../secret.png", "link.png", "folder.png", "http://127.0.0.1/x.png"):
        folder_site.push("shop", {"id": path, "vector_source_image": path, "vector": vector})
        answer = folder_site.get(f"/images/shop/{quote(path, safe='')}")
        assert (path, answer.status_code) == (path, 404)
        assert str(tmp_path) not in answer.text


def test_a_picture_with_more_pixels_than_the_limit_is_not_decoded(folder_site, tmp_path):
    (tmp_path / "bucket" / "bomb.png").write_bytes(saved(quarters(10_000, 10_000, "1")))
    folder_site.push("shop", {"id": "a", "vector_source_image": "bomb.png", "vector": [0.0] * 512})
    answer = folder_site.get("/images/shop/a")
    assert answer.status_code == 404
    assert "10000 x 10000 pixels, more than the limit" in answer.json["message"]


def test_every_answer_is_harmless_in_a_page_of_another_origin(site):
    site.keep("photos", "a", plain("red"))
    site.push("photos", {"id": "<img src=x onerror=alert(1)>"})
    for path in ("/images/photos/a", "/images/photos/none", "/images/photos/a?size=1", "/images/photos/a?token=x",
                 "/images/photos/%3Cimg%20src=x%20onerror=alert(1)%3E"):  # fmt: skip
        headers = site.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'"
        assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert headers["Content-Type"] in ("image/jpeg", "application/json; charset=utf-8")


def test_head_says_what_get_would(site):
    site.keep("photos", "a", plain("red"))
    get, head = site.get("/images/photos/a"), site.client.head("/images/photos/a")
    assert (head.status_code, head.data) == (200, b"")
    ours = ("Content-Type", "Content-Length", "ETag", "Cache-Control", "X-Content-Type-Options")
    assert [head.headers[name] for name in ours] == [get.headers[name] for name in ours]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_else_can_be_done_there(site, method):
    assert site.client.open("/images/photos/a", method=method).status_code == 405


def test_who_has_the_thumbnail_is_not_sent_it_again(site):
    site.keep("photos", "a", plain("red"))
    first = site.get("/images/photos/a")
    tag = first.headers["ETag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}'):
        answer = site.get("/images/photos/a", headers={"If-None-Match": sent})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert site.get("/images/photos/a?size=20", headers={"If-None-Match": tag}).status_code == 200
    site.keep("photos", "a", plain("blue"))
    changed = site.get("/images/photos/a", headers={"If-None-Match": tag})
    assert (changed.status_code, colour(changed.data)) == (200, "blue")


def test_the_engine_being_away_is_told_without_its_words(site, services, monkeypatch):
    def away(*_):
        raise EngineError("node 10.0.0.7 of index havengate-photos-g1 is away")

    site.keep("photos", "a", plain("red"))
    monkeypatch.setattr(services.engine, "fetch", away)
    answer = site.get("/images/photos/a")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json == {"code": "503", "message": "what holds the picture cannot be asked"}


def test_a_blob_that_is_lost_is_a_missing_picture(site, services, caplog):
    site.keep("photos", "a", plain("red"))
    services.tables.blobs.drop_table("photos")
    assert site.get("/images/photos/a").status_code == 404
    assert "the blob store has no" in caplog.text
