"""Settings of the cluster: lists by commas, secrets masked, mistakes named."""

from __future__ import annotations

import pytest

from havengate.errors import SettingsError
from havengate.settings import describe_settings, load_settings


def test_hosts_are_a_list_and_the_password_is_masked(monkeypatch):
    monkeypatch.setenv("HAVENGATE_ENGINE__HOSTS", "https://one:9200, https://two:9200,")
    monkeypatch.setenv("HAVENGATE_ENGINE__PASSWORD", "tiger")
    settings = load_settings()
    assert settings.engine.host_list == ("https://one:9200", "https://two:9200")
    assert "tiger" not in repr(settings)
    shown = {name: value for name, value, _ in describe_settings(settings)}
    assert shown["HAVENGATE_ENGINE__PASSWORD"] == "********"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOSTS", "one:9200"),
        ("HOSTS", ","),
        ("HOSTS", "https://user:tiger@one:9200"),
        ("INDEX_PREFIX", "Upper-"),
        ("INDEX_PREFIX", "nodash"),
        ("INDEX_PREFIX", "*-"),
        ("REPLICAS", "many"),
        ("SHARDS", "0"),
        ("TIMEOUT_S", "0"),
        ("KIND", "faiss"),
    ],
)
def test_a_wrong_setting_is_named_without_its_secrets(monkeypatch, name, value):
    monkeypatch.setenv(f"HAVENGATE_ENGINE__{name}", value)
    with pytest.raises(SettingsError, match=f"HAVENGATE_ENGINE__{name}") as caught:
        load_settings()
    assert "tiger" not in caught.value.message
