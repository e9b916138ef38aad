import os

import pytest

from havengate.errors import DocumentError, PictureError, SchemaError
from havengate.folder_reader import open_reader

MANY = 1 << 20


@pytest.fixture
def bucket(tmp_path):
    folder = tmp_path / "store" / "opensearch" / "Test image" / "image"
    folder.mkdir(parents=True)
    (folder / "10031.png").write_bytes(b"picture")
    (tmp_path / "store" / "outside.jpg").write_bytes(b"outside")
    return tmp_path / "store"


def fault(reader, path):
    with pytest.raises(DocumentError) as caught:
        reader.read(path, MANY)
    return caught.value.message


@pytest.mark.parametrize("name", ["opensearch", "/opensearch", "opensearch/", "/opensearch/"])
@pytest.mark.parametrize("path", ["/Test image/image/10031.png", "Test image/image/10031.png"])
def test_a_path_inside_the_bucket(bucket, name, path):
    assert open_reader(f"file://{bucket}", name).read(path, MANY) == b"picture"


@pytest.mark.parametrize("name", ["", "/"])
def test_without_a_bucket_the_folder_is_the_bucket(bucket, name):
    assert open_reader(f"file://{bucket}", name).read("/outside.jpg", MANY) == b"outside"


def test_a_folder_may_be_relative(bucket, monkeypatch):
    monkeypatch.chdir(bucket)
    assert open_reader("file://opensearch", "Test image").read("image/10031.png", MANY) == b"picture"


def test_a_folder_may_be_percent_encoded(bucket):
    endpoint = (bucket / "opensearch" / "Test image").as_uri()
    assert "%20" in endpoint
    assert open_reader(endpoint, "image").read("10031.png", MANY) == b"picture"


def test_a_folder_with_a_percent_sign_in_its_name(tmp_path):
    (tmp_path / "50%20off").mkdir()
    (tmp_path / "50%20off" / "a.jpg").write_bytes(b"a")
    assert open_reader(f"file://{tmp_path}/50%20off", "").read("a.jpg", MANY) == b"a"


@pytest.mark.parametrize(
    "endpoint", ["oss-cn-hangzhou.aliyuncs.com", "https://example.com", "s3://b", "", "/srv/a", "file:/x"]
)
def test_other_endpoints(endpoint):
    with pytest.raises(SchemaError, match=r"is no folder \(file://DIR\)"):
        open_reader(endpoint, "b")


@pytest.mark.parametrize("name", ["..", "a/../..", "a//b", "\0"])
def test_bucket_tricks(name):
    with pytest.raises(SchemaError, match="oss_bucket"):
        open_reader("file:///srv", name)


def test_an_endpoint_without_a_folder():
    with pytest.raises(SchemaError, match="names no folder"):
        open_reader("file://", "b")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.jpg",
        "/../outside.jpg",
        "a/../../outside.jpg",
        ".",
        "",
        "/",
        "//outside.jpg",
        "./a.jpg",
        "a//b",
        "a\0.jpg",
    ],
)
def test_path_tricks(bucket, path):
    message = fault(open_reader(f"file://{bucket}", "opensearch"), path)
    assert message.startswith(f"picture {path!r}: a path ")


def test_an_absolute_path_stays_in_the_bucket(bucket):
    reader = open_reader(f"file://{bucket}", "opensearch")
    assert fault(reader, str(bucket / "outside.jpg")).endswith("no such file in the picture folder")


def test_a_link_out_of_the_folder(bucket):
    (bucket / "opensearch" / "way-out.jpg").symlink_to(bucket / "outside.jpg")
    (bucket / "opensearch" / "way-up").symlink_to(bucket)
    reader = open_reader(f"file://{bucket}", "opensearch")
    assert "a link that leads out" in fault(reader, "way-out.jpg")
    assert "a link that leads out" in fault(reader, "way-up/outside.jpg")


def test_a_link_inside_the_folder(bucket):
    (bucket / "opensearch" / "alias.png").symlink_to("Test image/image/10031.png")
    assert open_reader(f"file://{bucket}", "opensearch").read("alias.png", MANY) == b"picture"


def test_a_link_to_itself(bucket):
    (bucket / "loop.jpg").symlink_to("loop.jpg")
    assert fault(open_reader(f"file://{bucket}", ""), "loop.jpg").startswith("picture 'loop.jpg': ")


@pytest.mark.parametrize(
    "path", ["http://example.com/a.jpg", "HTTPS://example.com/", "oss://b/a", "data:image/png;base64,AA"]
)
def test_addresses_are_not_fetched(bucket, path):
    assert "addresses in rows are not fetched" in fault(open_reader(f"file://{bucket}", ""), path)


def test_what_is_no_file(bucket):
    os.mkfifo(bucket / "pipe.jpg")
    reader = open_reader(f"file://{bucket}", "")
    assert fault(reader, "none.jpg") == "picture 'none.jpg': no such file in the picture folder"
    assert fault(reader, "outside.jpg/a.jpg").endswith("no such file in the picture folder")
    assert fault(reader, "opensearch").endswith("a folder, not a file")
    assert fault(reader, "pipe.jpg").endswith("not a regular file")
    assert fault(reader, "\ud800.jpg").startswith("picture '\\ud800.jpg': ")
    assert fault(reader, "x" * 5000).startswith("picture 'xxx")


def test_a_folder_that_is_not_there(tmp_path):
    assert fault(open_reader(f"file://{tmp_path}/none", "b"), "a.jpg").endswith("none/b' does not exist")


def test_too_large(bucket):
    reader = open_reader(f"file://{bucket}", "")
    assert reader.read("outside.jpg", 7) == b"outside"
    with pytest.raises(PictureError, match=r"'outside\.jpg' has 7 bytes, more than the limit of 6"):
        reader.read("outside.jpg", 6)


@pytest.mark.parametrize("endpoint", ["file:///a\0b", "file:///a%00b"])
def test_an_endpoint_with_a_nul_character(endpoint):
    with pytest.raises(SchemaError, match="NUL"):
        open_reader(endpoint, "b")
