"""The SDK's search calls as a program of their own, so that any version can run them: ENDPOINT PICTURE [--async].

Prints one JSON line per call: its name, the ids of the hits, and the whole answer where it is JSON. The first queries
are the vendor's samples.
"""

import asyncio
import base64
import inspect
import json
import re
import sys

from alibabacloud_ha3engine import client, models

SAMPLE = (
    "config=hit:4,format:json,fetch_summary_type:pk,qrs_chain:search"
    "&&query=image_index:'{}&modal={}&n=10&search_params={{}}'&&cluster=general"
)
FORMULA = "&&kvpairs=formula:proxima_score(vector)&&sort=+RANK"
WORDS = "image_index:'motorcycle helmet&modal=text&n=10&search_params={}'"
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
others = {
    "xml": f"query={WORDS}&&cluster=general&&config=hit:4{FORMULA}",
    "fetched": "config=format:json,fetch_summary_type:rawpk&&fetch_summary=general:9,27,1000",
    "wrong": f"query={WORDS.replace('image_index', 'nowhere')}&&cluster=general&&config=format:json",
}
rest = {
    "query": WORDS,
    "config": {"hit": 4, "format": "json"},
    "kvpairs": {"formula": "proxima_score(vector)"},
    "sort": [{"expression": "RANK", "order": "asc"}],
}
rests = {
    "rest": rest,
    "rest, filtered": rest | {"query": {"AND": [WORDS]}, "filter": "cate_id=4", "cluster": ["general"]},
    "rest, every clause": rest
    | {
        "filter": "cate_id>0",
        "aggs": [
            {
                "group_key": "cate_id",
                "agg_fun": ["count()", "max(id)"],
                "agg_filter": "id>0",
                "agg_range": [1, 5],
                "max_group": 10,
            }
        ],
        "distinct": {"default": {"dist_key": "cate_id", "dist_count": 2, "reserved": True, "grade": [0.5]}},
        "sort": [{"expression": "RANK", "order": "asc"}, {"expression": "id"}],
        "layer": [{"range": "cate_id{1,[2,5]}", "quota": 1000}],
        "analyzer": {"title": "keyword"},
        "cache": {"enabled": True, "cache_key": 7, "expire_time": "id+300", "cache_doc_num_limit": [200, 3000]},
        "rank": {"rank_profile": "DefaultProfile", "rank_hint": "+id"},
        "cluster": {"part_ids": [0]},
    },
    "rest, fetched": {"summary": {"gids": ["general:9,27,1000"]}, "config": {"fetch_summary_type": "rawpk"}},
    "rest, wrong": rest | {"colour": 1},
}
config = models.Config(
    endpoint=endpoint, instance_id="", protocol="http", access_user_name="user", access_pass_word="pass word"
)
ha3 = client.Client(config)
takes_method = "method" in inspect.signature(models.SearchRequestModel.__init__).parameters


def built():
    """A query of the builder, with each of its helpers, and the clauses that it has no helper for."""
    return models.HaQuery(
        query=WORDS,
        cluster="general",
        config=models.HaQueryconfigClause(
            start="0", hit="4", format="JSON", custom_config={"no_summary": "no", "trace": "INFO", "timeout": "9000"}
        ),
        filter="cate_id>0",
        sort=[
            models.HaQuerySortClause(sort_key="RANK", sort_order="+"),
            models.HaQuerySortClause(sort_key="id", sort_order="-"),
        ],
        aggregate=[
            models.HaQueryAggregateClause(
                group_key="cate_id",
                agg_fun="count()#max(id)",
                range="1~5",
                max_group="10",
                agg_filter="id>0",
                agg_sampler_thres_hold="1000",
                agg_sampler_step="5",
            ),
            models.HaQueryAggregateClause(group_key="title", agg_fun="sum(id)", max_group="3"),
        ],
        distinct=[
            models.HaQueryDistinctClause(
                dist_key="cate_id",
                dist_count="2",
                dist_times="1",
                reserved="true",
                dist_filter="id<0",
                update_total_hit="false",
                grade="0.5|1.0",
            )
        ],
        kvpairs={"formula": "proxima_score(vector)", "mine": "a value"},
        custom_query={
            "virtual_attribute": "twice:cate_id*2",
            "attribute": "cate_id,twice",
            "rank": "rank_profile:DefaultProfile",
            "layer": "range:cate_id{1,[2,5]},quota:1000",
            "searcher_cache": "use:yes,key:7",
            "optimizer": "name:AuxChain,option:pos#AFTER",
            "analyzer": "global_analyzer:simple",
            "level": "use_level:no",
            "rank_sort": "sort:RANK,percent:100",
            "final_sort": "sort_name:DEFAULT",
            "healthcheck": "check:true",
        },
    )


def searched(text, **more):
    return models.SearchRequestModel({}, models.SearchQuery(query=text), **more)


def calls():
    """Name, method and arguments of every call that this version has."""
    for name, text in (queries | others).items():
        yield name, "search", [searched(text)]
        if takes_method:
            yield f"{name} by POST", "search", [searched(text, method="POST")]
        if hasattr(ha3, "search_bytes"):
            yield f"{name} as bytes", "search_bytes", [searched(text)]
    yield "built", "search", [searched(ha3.build_ha_search_query(built()))]
    sql = models.SQLQuery(query="select id from general", kvpairs={"format": "json"})
    yield "sql", "search", [models.SearchRequestModel({}, models.SearchQuery(sql=ha3.build_sqlsearch_query(sql)))]
    if hasattr(ha3, "search_rest"):
        for name, body in rests.items():
            request = models.SearchRequestModel({}, body=json.dumps(body))
            yield name, "search_rest", [request, "general"]
            yield f"{name} as bytes", "search_rest_bytes", [request, "general"]


def show(name, body):
    text = body if isinstance(body, str) else body.decode()
    if text.startswith("<?xml"):
        ids = re.findall(r"<id><!\[CDATA\[(.*?)\]\]></id>", text)
        print(json.dumps([name, ids, {"hits": len(re.findall("<hit ", text))}]))
        return
    answer = json.loads(text)
    items = answer["result"]["items"]
    assert isinstance(answer["errors"], list)
    assert all(float(item["sortExprValues"][0]) >= 0 for item in items if item["sortExprValues"])
    print(json.dumps([name, [item["fields"]["id"] for item in items], answer]))


async def search_all():
    if hasattr(ha3, "build_ha_search_query_async"):
        text = await ha3.build_ha_search_query_async(built())
        show("built by await", (await ha3.search_async(searched(text))).body)
    for name, method, arguments in calls():
        show(name, (await getattr(ha3, f"{method}_async")(*arguments)).body)


if asynchronous:
    asyncio.run(search_all())
else:
    for name, method, arguments in calls():
        show(name, getattr(ha3, method)(*arguments).body)
