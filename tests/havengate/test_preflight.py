"""Everything that is wrong with the settings, at once and by name."""

import pytest

from havengate.errors import SettingsError
from havengate.preflight import checked_settings


@pytest.fixture
def told(monkeypatch, tmp_path):
    """The lines that a start with these settings ends with."""

    def start(**settings):
        monkeypatch.setenv("HAVENGATE_DATA_DIR", str(tmp_path / "data"))
        for name, value in settings.items():
            monkeypatch.setenv(f"HAVENGATE_{name}", str(value))
        with pytest.raises(SettingsError) as caught:
            checked_settings()
        return caught.value.message.splitlines()

    return start


def test_nothing_is_wrong_with_none(monkeypatch, tmp_path):
    monkeypatch.setenv("HAVENGATE_DATA_DIR", str(tmp_path / "data"))
    assert checked_settings().data_dir == tmp_path / "data"
    assert list(tmp_path.iterdir()) == []


def test_all_kinds_at_once_a_line_each(told, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    lines = told(
        SERVER__TREADS=9,
        SERVER__THREADS="many",
        AUTH__USERS="alice:boss:x,bob:read:secret-hash",
        SERVER__TLS_CERT=tmp_path / "none.pem",
        EMBEDDING__DETECTOR=tmp_path,
        EMBEDDING__CATALOGUE=tmp_path / "none.json",
        ENGINE__CA=tmp_path / "ca.pem",
        EMBEDDING__URL="http://models:8100",
        EMBEDDING__USER="gate",
        BLOBS__URL="s3://pictures/here",
    )
    assert lines == [
        "no such setting: HAVENGATE_SERVER__TREADS (did you mean HAVENGATE_SERVER__THREADS?)",
        "HAVENGATE_SERVER__THREADS: Input should be a valid integer, unable to parse string as an integer",
        "HAVENGATE_EMBEDDING__PASSWORD: is missing, HAVENGATE_EMBEDDING__USER is set",
        "HAVENGATE_SERVER__TLS_KEY: is missing, HAVENGATE_SERVER__TLS_CERT is set",
        f"HAVENGATE_EMBEDDING__CATALOGUE: {tmp_path}/none.json: No such file or directory",
        f"HAVENGATE_EMBEDDING__DETECTOR: {tmp_path}: Is a directory",
        f"HAVENGATE_SERVER__TLS_CERT: {tmp_path}/none.pem: No such file or directory",
        "HAVENGATE_AUTH__USERS: user 'alice' needs one of the roles read, write, admin",
        "HAVENGATE_AUTH__USERS: user 'bob' has no hash as `havengate user hash` makes it",
        f"HAVENGATE_ENGINE__CA: {tmp_path}/ca.pem holds no certificates (PEM)",
        "HAVENGATE_BLOBS__ENDPOINT: is missing; it says where HAVENGATE_BLOBS__URL is",
    ]
    assert "secret-hash" not in "".join(lines)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"BLOBS__ACCESS_KEY_ID": "id"}, "HAVENGATE_BLOBS__ACCESS_KEY_SECRET: is missing"),
        ({"SOURCES__OSS_ACCESS_KEY_SECRET": "s"}, "HAVENGATE_SOURCES__OSS_ACCESS_KEY_ID: is missing"),
        ({"ENGINE__USER": "gate"}, "HAVENGATE_ENGINE__PASSWORD: is missing"),
        ({"LOG__SLOW_INDEX": "true"}, "HAVENGATE_LOG__SLOW_INDEX: is for HAVENGATE_ENGINE__KIND=opensearch only"),
        ({"LOG__AUDIT": "/none/audit.log"}, "HAVENGATE_LOG__AUDIT: /none/audit.log cannot be written"),
        ({"EMBEDDING__OFFLINE": "/none"}, "HAVENGATE_EMBEDDING__OFFLINE: no folder /none"),
        ({"IMAGES__KEY": "short"}, "HAVENGATE_IMAGES__KEY: "),
        ({"DATA_DIR": "/dev/null/data"}, "HAVENGATE_DATA_DIR: /dev/null is a file, not a folder"),
        ({"AUTH__FILE": "/none.json"}, "HAVENGATE_AUTH__FILE: /none.json: No such file or directory"),
        (
            {"ENGIN__KIND": "opensearch"},
            "no such setting: HAVENGATE_ENGIN__KIND (did you mean HAVENGATE_ENGINE__KIND?)",
        ),
        ({"NONSENSE": "1"}, "no such setting: HAVENGATE_NONSENSE (docs/settings.md lists them all)"),
        ({"ENGINE": "{}"}, "no such setting: HAVENGATE_ENGINE"),
    ],
)
def test_one_line_each(told, settings, says):
    (line,) = told(**settings)
    assert line.startswith(says)


def test_a_file_that_is_none_of_its_kind_is_named(told, tmp_path):
    (tmp_path / "models.json").write_text("[")
    (tmp_path / "users.json").write_text("{}")
    lines = told(EMBEDDING__CATALOGUE=tmp_path / "models.json", AUTH__FILE=tmp_path / "users.json")
    assert len(lines) == 2
    assert str(tmp_path / "users.json") in lines[0]
    assert str(tmp_path / "models.json") in lines[1]


def test_without_its_client_the_engine_is_named(told, monkeypatch):
    monkeypatch.setattr("havengate.preflight.find_spec", lambda _: None)
    assert told(ENGINE__KIND="opensearch") == [
        "HAVENGATE_ENGINE__KIND: opensearch needs opensearchpy: pip install 'havengate[opensearch]'"
    ]
