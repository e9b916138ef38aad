"""Requests made from the API's document, good ones and broken ones, for every role: what comes back is what it says."""

import pytest
import schemathesis
from hostile_site import ROLES, TOKEN, basic
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
]
CREDENTIALS = {
    "nobody": {},
    **{role: {"Authorization": basic(role)} for role in (*ROLES, "granted")},
    "owner": {"Authorization": f"Bearer {TOKEN}"},
}


BOUNDED = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LONG = settings(BOUNDED, max_examples=60, derandomize=False)


def operations(app):
    api = schemathesis.openapi.from_wsgi("/openapi.json", app, headers={"Authorization": basic("read")})
    return [found.ok() for found in api.get_all_operations()]


def attack(operation, headers, effort):
    """Cases that fit the document, and cases that do not."""
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @effort
    @given(case=cases)
    def each(case):
        case.call_and_validate(headers=headers, checks=CHECKS)

    each()


@pytest.mark.parametrize("who", CREDENTIALS)
def test_every_role_gets_what_the_document_says(guarded, who):
    for operation in operations(guarded):
        attack(operation, CREDENTIALS[who], BOUNDED)


def test_so_it_is_where_there_are_no_users(open_to_all):
    for operation in operations(open_to_all):
        attack(operation, {}, BOUNDED)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("who", CREDENTIALS)
def test_with_many_more_requests(guarded, who):
    for operation in operations(guarded):
        attack(operation, CREDENTIALS[who], LONG)
