"""Answers that are not whole are no answers; all searches of a process look at the same copies."""

from __future__ import annotations

import pytest

from engines.opensearch.edge import Interrupted
from engines.opensearch.searches import Searches
from havengate.errors import EngineError

WHOLE = {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": []}}
PARTS = [WHOLE | {"timed_out": True}, WHOLE | {"_shards": {"failed": 1}}]
REFUSED = {"error": {"type": "query_shard_exception", "reason": "no such thing"}, "status": 400}


class Cluster:
    """Gives one answer and keeps what came with the questions."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def search(self, *, params, body, index=None):  # noqa: ARG002 - as the client names it
        self.asked.append((index, params))
        return self.answer

    def msearch(self, *, body, params):
        assert params == {}
        self.asked += [(head["index"], head) for head in body[::2]]
        return {"responses": [WHOLE, *[self.answer] * (len(body) // 2 - 1)]}

    def create_pit(self, *, index, params):
        self.asked.append((index, params))
        return {"pit_id": "pit"}

    def delete_pit(self, *, body, params):
        assert (body, params) == ({"pit_id": ["pit"]}, {})


def ways(searches):
    return [
        lambda: searches.one("t", {}),
        lambda: searches.several("t", [{}, {}]),
        lambda: searches.at("pit", {}),
    ]


@pytest.mark.parametrize("answer", PARTS)
def test_a_part_of_the_shards_is_no_answer(answer):
    for ask in ways(Searches(Cluster(answer))):
        with pytest.raises(Interrupted, match="only a part of the shards answered"):
            ask()


def test_a_refusal_among_several_is_told():
    with pytest.raises(EngineError, match="no such thing"):
        Searches(Cluster(REFUSED)).several("t", [{}, {}])


def test_the_cluster_is_asked_for_whole_answers_of_the_same_copies():
    cluster = Cluster(WHOLE)
    searches = Searches(cluster)
    for ask in ways(searches):
        ask()
    with searches.moment("t"):
        pass
    partial = [str(value) for _, asked in cluster.asked for name, value in asked.items() if "allow_partial" in name]
    assert partial == ["false", "False", "False", "false", "false"]
    assert len({asked["preference"] for index, asked in cluster.asked if index == "t"}) == 1
