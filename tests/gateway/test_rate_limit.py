"""How often a caller may ask, what he is told, and that nobody else pays for it."""

import pytest
from access_samples import PASSWORD, basic, hashed
from gateway_fakes import FakeServices

from gateway.app import create_app
from gateway.parts import Parts
from gateway.rate_limit import Buckets, TooManyRequests, network_of

USERS = ",".join(f"{name}:write:{hashed(PASSWORD)}" for name in ("ada", "bob"))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def buckets(clock):
    return Buckets(clock)


def taken(buckets, rate, caller="a"):
    """How many tokens there are now."""
    for count in range(1000):
        try:
            buckets.take(caller, rate)
        except TooManyRequests:
            return count
    return None


def test_ten_seconds_worth_at_once_then_the_rate(buckets, clock):
    assert taken(buckets, 2) == 20
    clock.now = 3
    assert taken(buckets, 2) == 6
    clock.now = 1000
    assert taken(buckets, 2) == 20


def test_what_is_asked_too_often_says_when_to_come_back(buckets, clock):
    buckets.take("a", 0.05)
    with pytest.raises(TooManyRequests) as error:
        buckets.take("a", 0.05)
    assert error.value.retry_after_s == 20
    clock.now = 20
    buckets.take("a", 0.05)


def test_a_new_rate_counts_at_once(buckets, clock):
    assert taken(buckets, 10) == 100
    clock.now = 1
    assert taken(buckets, 1) == 1
    assert taken(buckets, 0) is None


def test_callers_have_buckets_of_their_own(buckets):
    assert [taken(buckets, 1, caller) for caller in "abab"] == [10, 10, 0, 0]


def test_no_number_of_callers_takes_more_memory(buckets):
    for number in range(20_000):
        buckets.take(str(number), 1)
    assert len(buckets._left) == 10_000


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_an_address_of_ipv6_is_its_network(address, network):
    assert network_of(address) == network


def test_every_dialect_says_429_before_any_work():
    services = FakeServices(auth={"users": USERS, "rate_per_s": 0.1})
    parts = Parts()
    client = create_app(services, parts).test_client()
    headers = {"Authorization": basic("ada")}
    assert client.get("/network/active", headers=headers).status_code == 200
    for method, path in (
        ("GET", "/query?query=query=vector:'a'"),
        ("POST", "/query"),
        ("POST", "/photos/search"),
        ("POST", "/v1/tables/photos/search"),
        ("POST", "/vector-service/fetch"),
        ("POST", "/update/photos/actions/bulk"),
        ("GET", "/nowhere"),
    ):
        answer = client.open(path, method=method, headers=headers, json=None if method == "GET" else {})
        assert (answer.status_code, answer.json["code"]) == (429, "429"), path
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert services.searcher.plans == services.documents.pushed == services.documents.fetched == []
    assert client.get("/network/active", headers={"Authorization": basic("bob")}).status_code == 200
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers=headers).status_code == 200
    assert b'havengate_rate_limited_total{user="ada"} 7.0' in parts.metrics.text("")[0]


def test_without_users_each_address_has_the_rate_and_the_owner_has_none():
    client = create_app(FakeServices(auth={"rate_per_s": 0.1}), Parts(token="t")).test_client()

    def ask(address, **headers):
        return client.get("/network/active", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code

    assert [ask("127.0.0.1"), ask("127.0.0.1"), ask("127.0.0.2"), ask("::1")] == [200, 429, 200, 200]
    assert [ask("127.0.0.1", Authorization="Bearer t") for _ in range(3)] == [200] * 3
