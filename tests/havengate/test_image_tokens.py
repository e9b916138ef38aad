"""Tokens of /images: what opens what, and that nothing else does."""

import stat
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havengate.errors import Forbidden, SettingsError
from havengate.image_tokens import KEY_FILE, MOST_SERIES, Token, load_key, make, read
from havengate.settings import ImageSettings, Settings, load_settings

KEY = b"k" * 32
NOW = 1_800_000_000


def refused(token, *, key=KEY, table="shoes", now=NOW):
    with pytest.raises(Forbidden) as caught:
        read(key, table, token, now)
    assert caught.value.message == "Forbidden"
    return True


@given(st.text(), st.integers(1, MOST_SERIES), st.integers(NOW + 1, 2**63))
def test_a_token_says_what_it_was_made_with(table, series, expires):
    token = make(KEY, table, series, expires)
    assert read(KEY, table, token, NOW) == Token(series, expires)
    assert len(token) == 60
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_it_opens_no_other_table_and_is_of_one_key():
    token = make(KEY, "shoes", 1, NOW + 10)
    assert refused(token, table="shoes2")
    assert refused(token, table="shoe")
    assert refused(token, table="")
    assert refused(token, key=b"K" * 32)


def test_it_ends():
    token = make(KEY, "shoes", 1, NOW + 10)
    assert read(KEY, "shoes", token, NOW + 9.9)
    assert refused(token, now=NOW + 10)


def test_no_bit_of_it_can_be_changed():
    token = make(KEY, "shoes", 1, NOW + 10)
    data = urlsafe_b64decode(token)
    for at in range(len(token)):
        for letter in "Az0-_+/=\x00é ":
            changed = f"{token[:at]}{letter}{token[at + 1 :]}"
            assert changed == token or refused(changed)
    assert len(data) == 45


@given(st.text() | st.text(min_size=60, max_size=60) | st.text("AQ-_=\n", min_size=58, max_size=62))
def test_anything_else_is_refused(text):
    assert refused(text)


def test_a_megabyte_is_refused_without_being_read():
    assert refused("A" * (1 << 20))


def test_the_key_is_made_once_for_the_owner_alone(tmp_path):
    settings = Settings(data_dir=tmp_path / "new" / "data")
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: load_key(settings), range(64)))
    assert len(keys) == 1
    file = settings.data_dir / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in settings.data_dir.iterdir()] == [KEY_FILE]
    assert load_key(settings) == keys.pop()


def test_the_setting_wins_and_may_be_the_files_text(tmp_path):
    made = load_key(Settings(data_dir=tmp_path))
    text = (tmp_path / KEY_FILE).read_text()
    elsewhere = Settings(data_dir=tmp_path / "other", images=ImageSettings(key=text))
    assert load_key(elsewhere) == made
    assert not elsewhere.data_dir.exists()


@pytest.mark.parametrize("text", ["short", " " * 40, ""])
def test_a_key_that_can_be_guessed_is_refused(tmp_path, text, monkeypatch):
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(SettingsError, match=r"images\.key: at least 16 characters"):
        load_key(Settings(data_dir=tmp_path))
    monkeypatch.setenv("HAVENGATE_IMAGES__KEY", text or "x")
    with pytest.raises(SettingsError, match=r"HAVENGATE_IMAGES__KEY: .*at least 16 characters") as caught:
        load_settings()
    assert "short" not in caught.value.message
