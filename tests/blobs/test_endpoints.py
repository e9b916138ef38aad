from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havengate.buckets import open_bucket
from havengate.endpoints import Endpoint, bucket_name, object_key, read_endpoint
from havengate.errors import SchemaError


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("oss-cn-hangzhou.aliyuncs.com", Endpoint("https://oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou", "virtual")),
        (
            "oss-cn-hangzhou-internal.aliyuncs.com",
            Endpoint("https://oss-cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou", "virtual"),
        ),
        (
            "https://s3.oss-us-west-1.aliyuncs.com/",
            Endpoint("https://s3.oss-us-west-1.aliyuncs.com", "us-west-1", "virtual"),
        ),
        ("oss-accelerate.aliyuncs.com", Endpoint("https://oss-accelerate.aliyuncs.com", "us-east-1", "virtual")),
        ("s3.eu-central-1.amazonaws.com", Endpoint("https://s3.eu-central-1.amazonaws.com", "eu-central-1", "virtual")),
        ("https://s3.amazonaws.com", Endpoint("https://s3.amazonaws.com", "us-east-1", "virtual")),
        ("HTTP://Store.example:9000", Endpoint("http://Store.example:9000", "us-east-1", "virtual")),
        ("http://127.0.0.1:9000", Endpoint("http://127.0.0.1:9000", "us-east-1", "path")),
        ("[::1]:9000", Endpoint("https://[::1]:9000", "us-east-1", "path")),
        ("localhost:9000", Endpoint("https://localhost:9000", "us-east-1", "path")),
        ("http://minio:9000", Endpoint("http://minio:9000", "us-east-1", "path")),
    ],
)
def test_a_store_by_its_name(text, endpoint):
    assert read_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "s3://b", "file:/x", "/srv/a", "https://", "http:///a", "host/path", "host?x", "host#x"),
        *("https://user@host", "https://user:hush@host", "host:0", "host:99999", "host:a", "http://[::1", "a b"),
        *(
            "-host",
            "under_score:9000",
            "h\u00f6st",
            "https://https://host",
            "a..b",
            "host.",
            "x" * 64,
            "a." * 120 + "b",
            "[fe80::1%eth0]",
        ),
    ],
)
def test_what_is_no_store(text):
    with pytest.raises(SchemaError, match="oss_endpoint") as caught:
        read_endpoint(text)
    assert "hush" not in caught.value.message


@pytest.mark.parametrize("text", ["dash-ed.example:9000", "[::1]:1", "a." * 90 + "b", "x" * 63, "1.2.3"])
def test_boto3_takes_every_store(text):
    open_bucket(read_endpoint(text), "bucket", ("id", "secret"), 1).close()


@given(st.text())
def test_any_text_is_a_store_or_an_error(text):
    with suppress(SchemaError):
        assert read_endpoint(text).url.startswith("http")


@pytest.mark.parametrize(("text", "name"), [("/opensearch", "opensearch"), ("a-b.c1/", "a-b.c1")])
def test_a_bucket_by_its_name(text, name):
    assert bucket_name(text) == name


@pytest.mark.parametrize("text", ["", "/", "ab", "a" * 64, "Shop", "a_b", "-ab", "ab-", "a/b", "a b", "abc\n", "..."])
def test_what_is_no_bucket(text):
    with pytest.raises(SchemaError, match="oss_bucket"):
        bucket_name(text)


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_a_key_is_the_path_behind_its_slash(name):
    if name not in (".", "..") and "://" not in name and not name.lower().startswith("data:"):
        assert object_key(f"/{name}") == object_key(name) == name
