"""The vendor's SDK against a real server with the built-in model, and a server killed while it writes."""

import base64
import gzip
import http.client
import json
import threading
import time
import zlib

import pytest
from live_gateway import CLOTHES, LiveGateway, Sdk, sample_files

from havengate.services import services
from havengate.settings import Settings
from schemas.settings import TableSettings
from schemas.templates import template

TITLE = {"field_name": "title", "field_type": "STRING"}
FILES = sample_files(8)
TAIL = "&&cluster=clothes&&config=hit:4,format:json&&kvpairs=formula:proxima_score(vector)&&sort=+RANK"
SHOES = f"query=image_index:'shoes&modal=text&n=10&search_params={{}}'{TAIL}"


def create_table(data_dir, name, kind):
    with services(Settings(data_dir=data_dir)) as opened:
        opened.tables.create(name, template(kind, extra_fields=(TITLE,)), TableSettings())


def document(key, file):
    fields = {"id": key, "cate_id": key, "title": file, "vector_source_image": base64_of(file)}
    return {"cmd": "add", "fields": fields}


def base64_of(file):
    return base64.b64encode((CLOTHES / file).read_bytes()).decode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A gateway over the sample photos, and the SDK that pushed them."""
    data_dir = tmp_path_factory.mktemp("data")
    create_table(data_dir, "clothes", "base64")
    gateway = LiveGateway(data_dir)
    gateway.wait_until_ready()
    sdk = Sdk(gateway.endpoint)
    answer = sdk.push("clothes", [document(key, file) for key, file in enumerate(FILES)])
    assert (answer["status"], answer["written"]) == ("OK", len(FILES))
    yield gateway, sdk
    gateway.stop()


@pytest.fixture
def gateway(filled):
    return filled[0]


@pytest.fixture
def sdk(filled):
    return filled[1]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_pushed_picture_finds_itself(sdk, method):
    answer = sdk.search(f"query=vector:'{base64_of(FILES[3])}&modal=image&n=10'{TAIL}", method)
    assert answer["errors"] == []
    best = answer["result"]["items"][0]
    assert best["fields"]["title"] == FILES[3]
    assert float(best["sortExprValues"][0]) == pytest.approx(0, abs=1e-4)
    assert "vector_source_image" not in best["fields"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_words_find_as_many_as_the_certificate_says(sdk, method):
    result = sdk.search(f"{SHOES}&&filter=cate_id<8", method)["result"]
    certificate = result["certificate"]
    assert certificate["returned"] == min(10, certificate["matched"]) == result["totalHits"] == 8
    assert all(int(item["fields"]["cate_id"]) < 8 for item in result["items"])


def test_the_attribute_clause_gives_the_picture_back_as_it_was_pushed(sdk):
    item = sdk.search(f"{SHOES}&&attribute=vector,vector_source_image")["result"]["items"][0]
    assert item["fields"]["vector_source_image"] == base64_of(item["fields"]["title"])
    assert len(item["attribute"]["vector"]) == 512


def test_a_repeated_push_changes_nothing(sdk):
    before = sdk.search(SHOES)["result"]["items"]
    file = before[0]["fields"]["title"]
    assert sdk.push("clothes", [document(int(before[0]["fields"]["id"]), file)])["status"] == "OK"
    assert sdk.search(SHOES)["result"]["items"] == before


def test_bad_documents_do_not_hold_up_good_ones(sdk, gateway):
    good = document(900, FILES[0])
    bad = {"cmd": "add", "fields": {"id": 901, "vector_source_image": base64.b64encode(b"no picture").decode()}}
    answer = sdk.push("inst_clothes", [bad, good])
    assert answer["status"] == "ERROR"
    assert [(error["index"], error["id"]) for error in answer["errors"]] == [(0, "901")]
    body = json.dumps({"tableName": "clothes", "ids": ["901", "900"], "includeVector": True}).encode()
    fetched = gateway.send("POST", "/vector-service/fetch", body)
    assert [(item["id"], len(item["vector"])) for item in fetched["result"]] == [(900, 512)]
    assert sdk.push("clothes", [{"cmd": "delete", "fields": {"id": 900}}])["deleted"] == 1


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_query_is_answered(gateway, encoding, pack):
    body = pack(json.dumps({"assemblyQuery": SHOES}).encode())
    answer = gateway.send("POST", "/query", body, **{"Content-Encoding": encoding})
    assert answer["result"]["numHits"] == 4


def test_the_plan_endpoint_answers_the_same(sdk, gateway):
    plan = {
        "query": {"vector": {"index": "vector", "text": "shoes", "n": 10}},
        "rank": {"proxima_score": "vector"},
        "sort": [{"by": "RANK", "descending": False}],
        "limit": 4,
    }
    answer = gateway.send("POST", "/v1/tables/clothes/search", json.dumps(plan).encode())
    items = sdk.search(SHOES)["result"]["items"]
    assert [hit["pk"] for hit in answer["hits"]] == [item["fields"]["id"] for item in items]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("query=vector:'@@@&modal=image'&&cluster=clothes", 1033),
        ("query=vector:'1,2'&&cluster=clothes", None),
        ("query=vector:'shoes&modal=text'&&filter=nowhere=1&&cluster=clothes", 2000),
        ("query=vector:'shoes&modal=text'&&filter=strange(cate_id)=1&&cluster=clothes", 2100),
        ("query=vector:'shoes&modal=text&n=10001'&&cluster=clothes", 1005),
    ],
)
def test_a_wrong_query_is_http_200_with_the_engines_code(sdk, query, code):
    answer = sdk.search(f"{query}&&config=format:json")
    (error,) = answer["errors"]
    assert error["code"] == code or (code is None and error["code"] > 1000)
    assert error["message"]


def push_until_killed(gateway, first, acknowledged):
    body = {"vector": [0.5] * 512, "title": "kept"}
    key = first
    try:
        while True:
            documents = [{"cmd": "add", "fields": body | {"id": key}}]
            answer = gateway.send("POST", "/update/kept/actions/bulk", json.dumps(documents).encode())
            if answer["status"] == "OK":
                acknowledged.append(key)
            key += 1
    except (OSError, http.client.HTTPException, ValueError):
        return


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.long)])
def test_no_acknowledged_row_is_lost_to_kills(tmp_path, kills):
    create_table(tmp_path, "kept", "push")
    acknowledged = []
    for turn in range(kills):
        server = LiveGateway(tmp_path)
        writer = threading.Thread(target=push_until_killed, args=(server, turn * 10_000, acknowledged))
        writer.start()
        goal = len(acknowledged) + 20 + 3 * turn
        while len(acknowledged) < goal and writer.is_alive():
            time.sleep(0.01)
        server.kill()
        writer.join()
        assert len(acknowledged) >= goal
    with services(Settings(data_dir=tmp_path), wait_s=5.0) as opened:
        assert opened.engine.fetch("kept", [str(key) for key in acknowledged]).keys() == {str(k) for k in acknowledged}
