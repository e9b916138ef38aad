"""Pictures over HTTP from a server with a key of its own: tokens by the command line beside it, until revoked."""

import http.client
import io
import json
import re
import urllib.error
import urllib.request
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from PIL import Image
from served import Served

from schemas.templates import template

KEY = "/boots/made of 100% rubber.jpg"


def png(colour):
    out = io.BytesIO()
    Image.new("RGB", (400, 200), colour).save(out, "PNG")
    return b64encode(out.getvalue()).decode()


def fetched(url, method="GET"):
    """(status, headers, body)."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.fixture
def served(tmp_path):
    """With one row and its picture; the commands beside it know nothing of the server's key."""
    server = Served(tmp_path / "data", HAVENGATE_IMAGES__KEY="known to this process and no other")
    schema = template("base64", extra_fields=[{"field_name": "id", "field_type": "STRING"}])
    (tmp_path / "schema.json").write_text(json.dumps(schema.to_json()))
    server.cli("table", "create", "shoes", "--schema", str(tmp_path / "schema.json"))
    rows = [{"cmd": "add", "fields": {"id": KEY, "vector_source_image": png("lime"), "vector": [0.0] * 512}}]
    assert server.ask("POST", "/update/shoes/actions/bulk", rows)[0] == 200
    yield server
    server.stop()


def test_a_token_is_made_used_and_revoked_beside_a_running_server(served):
    token, example, until = served.cli("images", "token", "shoes", "--days", "30").stdout.splitlines()
    assert re.fullmatch(r"[\w-]{60}", token)
    assert example == f"{served.record['url']}/images/shoes/ID?size=160&token={token}"
    assert re.fullmatch(r"valid until 2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d", until)
    url = example.replace("ID", quote(KEY, safe=""))
    status, headers, body = fetched(url)
    assert (status, headers["Content-Type"], headers["Content-Length"]) == (200, "image/jpeg", str(len(body)))
    shown = Image.open(io.BytesIO(body))
    assert (shown.size, shown.getpixel((80, 40))) == ((160, 80), pytest.approx((0, 255, 0), abs=3))
    _, head, nothing = fetched(url, "HEAD")
    assert (head["ETag"], head["Content-Length"], nothing) == (headers["ETag"], str(len(body)), b"")
    revoked = served.cli("images", "revoke", "shoes").stdout
    said = re.fullmatch(r"tokens of table shoes made before are invalid; new ones are of series (\d+)\n", revoked)
    series = int(said[1])
    assert fetched(url)[0] == 403
    new = served.cli("images", "token", "shoes").stdout.splitlines()[0]
    assert fetched(url.replace(token, new))[0] == 200
    history = served.cli("changes", "--table", "shoes").stdout
    assert f"valid for 30 days, series {series - 1}" in history
    assert f"image_tokens: {series - 1} becomes {series}" in history
    assert f"valid for 365 days, series {series}" in history
    assert served.cli("images", "token", "boots", check=False).stderr.startswith("error: no table 'boots'")
    served.stop()
    for secret in (token, new, "known to this process"):
        assert secret not in served.log.read_text()
        assert secret not in history


def test_a_page_of_pictures_comes_whole_and_a_connection_is_used_again(served):
    token = served.cli("images", "token", "shoes").stdout.splitlines()[0]
    sizes = [16 + number % 40 for number in range(100)]
    target = f"/images/shoes/{quote(KEY, safe='')}?token={token}"

    def page(part):
        connection = http.client.HTTPConnection(served.record["url"].removeprefix("http://"), timeout=60)
        answers = []
        for size in part:
            connection.request("GET", f"{target}&size={size}")
            answer = connection.getresponse()
            answers.append((answer.status, size, Image.open(io.BytesIO(answer.read())).width))
        connection.close()
        return answers

    with ThreadPoolExecutor(6) as browsers:
        answers = [each for page in browsers.map(page, [sizes[start::6] for start in range(6)]) for each in page]
    assert len(answers) == 100
    assert all(status == 200 and width == size for status, size, width in answers)


def test_without_a_server_the_command_signs_with_the_key_of_the_folder(served):
    served.stop()
    made = served.cli("images", "token", "shoes").stdout.splitlines()
    assert made[1].startswith("http://127.0.0.1:8000/images/shoes/ID?")
    assert (served.data_dir / "images.key").stat().st_mode & 0o777 == 0o600
    again = Served(served.data_dir)
    try:
        url = f"{again.record['url']}/images/shoes/{quote(KEY, safe='')}?token="
        assert fetched(url + made[0])[0] == 200
        assert fetched(f"{url}{made[0][:-1]}{'A' if made[0][-1] != 'A' else 'B'}")[0] == 403
    finally:
        again.stop()
