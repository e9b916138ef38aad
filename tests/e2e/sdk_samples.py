"""The vendor's samples as a program of their own, so that any SDK version can run them: ENDPOINT PICTURE [--async].

Prints one JSON line per query: [name, ids of the hits].
"""

import asyncio
import base64
import inspect
import json
import sys

from alibabacloud_ha3engine import client, models

SAMPLE = (
    "config=hit:4,format:json,fetch_summary_type:pk,qrs_chain:search"
    "&&query=image_index:'{}&modal={}&n=10&search_params={{}}'&&cluster=general"
)
FORMULA = "&&kvpairs=formula:proxima_score(vector)&&sort=+RANK"
endpoint, picture_file = sys.argv[1:3]
asynchronous = "--async" in sys.argv
with open(picture_file, "rb") as file:  # noqa: PTH123  (a sample, as a user writes it)
    picture = base64.b64encode(file.read()).decode()

queries = {
    "as printed": SAMPLE.format("motorcycle helmet", "text"),
    "words": SAMPLE.format("motorcycle helmet", "text") + FORMULA,
    "words, filtered": SAMPLE.format("motorcycle helmet", "text") + FORMULA + "&&filter=cate_id=4",
    "chinese": SAMPLE.format("5pGp5omY6L2mJuWktOeblA==", "text") + FORMULA,
    "picture": SAMPLE.format(picture, "image") + FORMULA,
    "picture, filtered": SAMPLE.format(picture, "image") + FORMULA + "&&filter=cate_id=4",
}
config = models.Config(
    endpoint=endpoint, instance_id="", protocol="http", access_user_name="user", access_pass_word="pass word"
)
ha3 = client.Client(config)
takes_method = "method" in inspect.signature(models.SearchRequestModel.__init__).parameters


def requests():
    for name, text in queries.items():
        yield name, models.SearchRequestModel({}, models.SearchQuery(query=text))
        if takes_method:
            yield f"{name} by POST", models.SearchRequestModel({}, models.SearchQuery(query=text), method="POST")


def show(name, response):
    answer = json.loads(response.body)
    assert answer["errors"] == [], answer["errors"]
    items = answer["result"]["items"]
    assert all(float(item["sortExprValues"][0]) >= 0 for item in items)
    print(json.dumps([name, [item["fields"]["id"] for item in items]]))


async def search_all():
    for name, request in requests():
        show(name, await ha3.search_async(request))


if asynchronous:
    asyncio.run(search_all())
else:
    for name, request in requests():
        show(name, ha3.search(request))
