"""The log: one line for each record whatever is in it, the request's id on each, nothing that is a secret's length."""

import io
import json
import logging
import sys
import threading

import pytest
from gateway_fakes import FakeServices, client_of

from havengate.errors import EngineError, SettingsError
from havengate.log import AUDIT, configure
from havengate.request_id import REQUEST_ID
from havengate.setting_groups import LogSettings

OURS = logging.getLogger("gateway.log_test")
FORGED = "a\n2026-01-01T00:00:00.000Z ERROR forged\r\x1b[2J\u2028\x85"


@pytest.fixture
def log(monkeypatch):
    """Sets up the log and gives what was written since."""
    names = ["", "embedding", "engines", "gateway", "havengate", "ingest", "query_parser", "schemas", "gunicorn.error"]
    loggers = [logging.getLogger(name) for name in (*names, AUDIT)]
    before = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    hook, written = threading.excepthook, io.StringIO()

    def set_up(**settings):
        configure(LogSettings(**settings))
        monkeypatch.setattr(sys, "stderr", written)
        return written

    yield set_up
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        for handler in set(logger.handlers) - set(handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)
        logger.propagate = propagate
    logging.captureWarnings(False)
    threading.excepthook = hook


def test_text_of_a_client_begins_no_line_of_its_own(log):
    written = log()
    OURS.warning("%s", FORGED, extra={"user": FORGED})
    assert len(written.getvalue().splitlines()) == 1
    assert "forged" in written.getvalue()


def raise_forged():
    raise ValueError(FORGED)


def test_a_traceback_is_marked_in_text_and_one_field_in_json(log):
    for form in ("text", "json"):
        written = log(format=form)
        try:
            raise_forged()
        except ValueError:
            OURS.exception("it failed")
    text, found = written.getvalue().rstrip("\n").rpartition("\n")[::2]
    lines = text.splitlines()
    assert lines[0].endswith("gateway.log_test [-] it failed")
    assert all(line.startswith("    | ") for line in lines[1:])
    assert json.loads(found)["exception"].startswith("Traceback")
    assert FORGED in json.loads(found)["exception"]


def test_a_json_line_has_its_fields_and_those_of_the_record(log):
    written = log(format="json")
    before = REQUEST_ID.set("abc-1")
    OURS.warning("took %d", 3, extra={"stages": {"parse": 0.1}, "user": "älice"})
    REQUEST_ID.reset(before)
    found = json.loads(written.getvalue())
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "warning",
        "logger": "gateway.log_test",
        "request_id": "abc-1",
        "message": "took 3",
        "stages": {"parse": 0.1},
        "user": "älice",
    }


def test_what_has_the_length_of_a_picture_or_a_hash_is_cut(log):
    written = log(format="json")
    OURS.warning("got %s", "QUJD" * 100, extra={"plan": {"query": ["a" * 500]}})
    found = json.loads(written.getvalue())
    assert found["message"] == "got QUJDQUJD… (400 characters)"
    assert found["plan"] == {"query": ["aaaaaaaa… (500 characters)"]}


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_token_in_a_url_is_masked_and_a_long_text_is_cut(log, form):
    written = log(format=form, level="info")
    OURS.info("GET /images/a/1?size=9&token=%s", "Secret-1", extra={"target": "/images/a/1?token=Secret-2"})
    assert "size=9" in written.getvalue()
    assert "Secret" not in written.getvalue()
    before = len(written.getvalue())
    OURS.info("word " * 5000)
    assert "25000 characters" in written.getvalue()
    assert len(written.getvalue()) - before < 9000


def test_the_level_is_ours_and_no_other_packages(log):
    written = log(level="debug")
    OURS.debug("mine")
    logging.getLogger("botocore.auth").debug("StringToSign")
    logging.getLogger("botocore.auth").warning("trouble")
    assert "mine" in written.getvalue()
    assert "StringToSign" not in written.getvalue()
    assert "trouble" in written.getvalue()


def test_set_up_again_nothing_is_written_twice(log):
    log(level="debug")
    written = log(level="info")
    OURS.info("once")
    assert written.getvalue().count("once") == 1


def test_audit_lines_go_to_their_file_and_to_it_alone(log, tmp_path):
    written = log(level="error", audit=tmp_path / "audit.log")
    logging.getLogger(AUDIT).info("push", extra={"user": "alice"})
    assert (tmp_path / "audit.log").read_text().endswith("INFO havengate.audit [-] push user=alice\n")
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600
    assert written.getvalue() == ""


def test_audit_lines_are_logged_at_every_level_where_they_have_no_file(log):
    written = log(level="error")
    logging.getLogger(AUDIT).info("push")
    assert "push" in written.getvalue()


def test_an_audit_file_that_cannot_be_is_told_at_the_start(log, tmp_path):
    with pytest.raises(SettingsError, match="HAVENGATE_LOG__AUDIT"):
        log(audit=tmp_path / "nowhere" / "audit.log")


def test_a_rotated_audit_file_is_begun_anew_for_the_owner_s_eyes(log, tmp_path):
    log(audit=tmp_path / "audit.log")
    for _ in range(2):
        (tmp_path / "audit.log").rename(tmp_path / "audit.log.1")
        logging.getLogger(AUDIT).info("push")
        assert "push" in (tmp_path / "audit.log").read_text()
        assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600


def test_audit_lines_that_their_file_does_not_take_are_logged_and_cost_nobody_an_answer(log, tmp_path):
    (tmp_path / "logs").mkdir()
    written = log(audit=tmp_path / "logs" / "audit.log")
    (tmp_path / "logs").rename(tmp_path / "moved")
    for number in (1, 2):
        logging.getLogger(AUDIT).info("push %d", number)
    lines = written.getvalue().splitlines()
    assert [line.split(" ")[1] for line in lines] == ["INFO", "ERROR", "INFO"]
    assert lines[0].endswith("push 1")
    assert "cannot be written" in lines[1]
    (tmp_path / "logs").mkdir()
    logging.getLogger(AUDIT).info("push 3")
    assert "push 3" in (tmp_path / "logs" / "audit.log").read_text()
    assert "push 3" not in written.getvalue()


def test_audit_lines_of_a_full_disk_are_logged(log):
    written = log(audit="/dev/full")
    for number in (1, 2):
        logging.getLogger(AUDIT).info("push %d", number)
    assert [line.split(" ")[1] for line in written.getvalue().splitlines()] == ["INFO", "ERROR", "INFO"]


def test_a_thread_that_fails_writes_a_line(log, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    written = log(format="json")
    thread = threading.Thread(target=lambda: {}["missing"], name="worker-7")
    thread.start()
    thread.join()
    found = json.loads(written.getvalue())
    assert found["message"] == "thread worker-7 ended by an error"
    assert "KeyError: 'missing'" in found["exception"]


def access(written):
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in lines if line["logger"] == "havengate.access"]


def test_a_request_is_a_line_without_its_query_string(log):
    written = log(format="json", level="info")
    client = client_of(FakeServices())
    client.get(
        "/query?query=query=vector:'a%26modal=text'%26%26config=format:json",
        headers={"X-Opensearch-Request-ID": "mine"},
    )
    (line,) = access(written)
    assert (line["message"], line["status"], line["request_id"]) == ("GET /query", 200, "mine")
    assert line["user"] == "anonymous"
    assert line["bytes"] > 0
    assert {"parse", "embed", "format"} <= line["stages"].keys()


@pytest.mark.parametrize(
    ("headers", "clause", "found"),
    [
        ({"X-Opensearch-Request-ID": "client", "X-Request-ID": "proxy"}, "clause", "client"),
        ({"X-Request-ID": "proxy"}, "clause", "clause"),
        ({"X-Request-ID": "proxy"}, "", "proxy"),
        ({"X-Opensearch-Request-ID": "not\tone"}, "clause", "clause"),
    ],
)
def test_whose_id_a_request_has(log, headers, clause, found):
    written = log(format="json", level="info")
    query = "query=vector:'a&modal=text'&&config=format:json" + (
        f"&&kvpairs=__ops_request_id:{clause}" if clause else ""
    )
    answer = client_of(FakeServices()).get("/query", query_string={"query": query}, headers=headers)
    assert answer.headers["X-Opensearch-Request-ID"] == found
    assert [line["request_id"] for line in access(written)] == [found]
    assert REQUEST_ID.get() == ""


def test_an_error_of_ours_is_a_line_with_the_id(log):
    written = log(format="json")
    services = FakeServices()
    services.searcher.result = EngineError("the disk is gone")
    client_of(services).get("/query?query=query=vector:'a%26modal=text'", headers={"X-Opensearch-Request-ID": "mine"})
    (line,) = map(json.loads, written.getvalue().splitlines())
    assert (line["level"], line["request_id"]) == ("warning", "mine")
    assert "the disk is gone" in line["message"]


def test_probes_are_lines_at_debug_only(log):
    written = log(format="json", level="info")
    client_of(FakeServices()).get("/healthz")
    assert access(written) == []
    written = log(format="json", level="debug")
    client_of(FakeServices()).get("/healthz")
    assert [line["message"] for line in access(written)] == ["GET /healthz"]
