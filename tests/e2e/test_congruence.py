"""Both engines behind the same HTTP give the same answers: rows, scores, totals, groups, certificates, errors."""

from __future__ import annotations

from collections import Counter

import pytest
from congruence_cases import Case
from congruence_plans import Plans

from gateway.app import create_app
from schemas.settings import TableSettings
from schemas.vendor import read_schema

SHORT, LONG, PLANS = range(4), range(100, 140), 60


def answers(both, case):
    """Each plan with both answers, over a table of its own."""
    clients, plans = [], Plans(case)
    for services in both:
        services.tables.create("t", read_schema(case.schema()), TableSettings())
        clients.append(create_app(services).test_client())
    try:
        for documents in (case.documents(), case.changes()):
            pushed = [client.post("/update/t/actions/bulk", json=documents).json for client in clients]
            assert pushed[0]["errors"] == pushed[1]["errors"]
            for _ in range(PLANS // 2):
                plan = plans.plan()
                yield plan, *(client.post("/v1/tables/t/search", json=plan) for client in clients)
    finally:
        for services in both:
            services.tables.drop("t")


def said(answer):
    """The answer without what differs from call to call, and without how an engine made its count sure."""
    body = dict(answer.json)
    for name in ("timings", "request_id"):
        body.pop(name, None)
    for certificate in body.get("certificates", ()):
        del certificate["strategy"]
    return answer.status_code, body


def check(both, seed):
    codes = Counter()
    for plan, embedded, cluster in answers(both, Case(seed)):
        assert said(cluster) == said(embedded), plan
        codes[embedded.status_code] += 1
    assert codes[200] >= PLANS // 2, codes
    assert set(codes) <= {200, 400}


@pytest.mark.parametrize("seed", SHORT)
def test_the_engines_agree(both, seed):
    check(both, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG)
def test_the_engines_agree_on_many_tables(both, seed):
    check(both, seed)
