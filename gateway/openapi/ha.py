"""HA3 in the document: GET and POST /query, and the REST DSL."""

from __future__ import annotations

from gateway.openapi.parts import Json, answer, body, operation, parameter, ref, table

TAG = "HA3"
_QUERY = (
    "config=hit:4,format:json&&query=image_index:'motorcycle helmet&modal=text&n=10&search_params={}'"
    "&&cluster=general&&filter=cate_id=1"
)
_FACETS = (
    "config=hit:2&&query=vector:'helmet&modal=text'&&cluster=general&&sort=-RANK;-id"
    "&&aggregate=group_key:cate_id,agg_fun:count()#max(id)"
)
_XML = """<?xml version="1.0" encoding="UTF-8"?>
<Root>
<TotalTime>0.004</TotalTime>
<SortExprMeta><![CDATA[-RANK]]></SortExprMeta>
<hits numhits="0" totalhits="0" coveredPercent="100.00">
</hits>
<AggregateResults>
</AggregateResults>
<Error>
\t<ErrorCode>0</ErrorCode>
\t<ErrorDescription></ErrorDescription>
</Error>
</Root>
"""
_FORMAT = "XML, unless the config clause says `format:json`."
_ERRORS = (
    "What is wrong with a request is HTTP 200, too, with the engine's code in the body, as the engine answers; "
    "a call without a request is refused in JSON."
)


def paths() -> Json:
    return {
        "/query": {"get": _get(), "post": _post()},
        "/{table}/search": {"post": _search()},
    }


def _answers() -> Json:
    return answer("Hits, or an error with the engine's code.", ref("HaAnswer"), xml=_XML)


def _get() -> Json:
    query = parameter(
        "query", "query", {"type": "string"}, f"The request, clauses joined by `&&`, percent-encoded. {_FORMAT}", _QUERY
    )
    return operation(
        "haQueryByGet",
        TAG,
        "Search with an HA3 request in the address",
        {200: _answers()},
        access="read",
        description=_ERRORS,
        parameters=[query],
    )


def _post() -> Json:
    schema = {
        "type": "object",
        "required": ["assemblyQuery"],
        "properties": {"assemblyQuery": {"type": "string", "description": f"The request. {_FORMAT}"}},
    }
    examples = {
        "words and a filter": {"assemblyQuery": _QUERY},
        "groups, answered in XML": {"assemblyQuery": _FACETS},
        "rows by their keys": {
            "assemblyQuery": "config=fetch_summary_type:rawpk,format:json&&fetch_summary=general:1,2"
        },
    }
    return operation(
        "haQueryByPost",
        TAG,
        "Search with an HA3 request in the body",
        {200: _answers()},
        access="read",
        description=_ERRORS,
        takes=body(schema, examples),
    )


def _search() -> Json:
    examples = {
        "words and a filter": {
            "query": {"match": {"vector": "motorcycle helmet&modal=text&n=10"}},
            "filter": "cate_id=1",
            "config": {"hit": 4},
        },
        "two pools joined, groups, an order": {
            "query": {"OR": [{"match": {"vector": "helmet&modal=text"}}, {"match": {"vector": "glove&modal=text"}}]},
            "aggs": [{"group_key": "cate_id", "agg_fun": "count()"}],
            "sort": ["-RANK", {"expression": "id", "order": "asc"}],
        },
    }
    return operation(
        "restSearch",
        TAG,
        "Search with HA3's clauses as JSON",
        {200: answer("As /query answers, in JSON unless `config.format` is `xml`.", ref("HaAnswer"), xml=_XML)},
        access="read",
        description=_ERRORS,
        parameters=[table("general")],
        takes=body(ref("RestSearch"), examples),
    )
