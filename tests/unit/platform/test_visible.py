"""Nothing that strangers wrote steers a terminal or forges a line: not by a log line, a table, an error or a JSON document."""

from __future__ import annotations

import io
import json
import logging

import pytest

from clawstack import logs
from clawstack.errors import ConflictError
from clawstack.redaction import Redactor
from clawstack.visible import visible, visible_json
from services.cli.output import Output

HOSTILE = "a\x1b]0;owned\x07b\x9b2Jc\r\nd\u202ee\u2028f\x7fg"
STEERING = [letter for letter in HOSTILE if not letter.isalnum() and letter not in "]0;\n"]


@pytest.fixture
def line(request):
    """The one line that a form of log writes of HOSTILE in its event, its path, its nested values and its key."""
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.configure(redactor=Redactor(), form=request.param, stream=stream)
        log = logs.get_logger("ours")
        log.warning(HOSTILE, path=HOSTILE, told={"names": [HOSTILE]}, **{f"k{HOSTILE}": 1})
    finally:
        root.handlers[:], root.level = before
    return stream.getvalue()


@pytest.mark.parametrize("line", ["console", "json"], indirect=True)
def test_a_log_line_stays_one_line_of_visible_letters(line):
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert not [letter for letter in STEERING if letter in line]


@pytest.mark.parametrize("line", ["json"], indirect=True)
def test_a_log_line_in_json_still_says_what_came(line):
    assert json.loads(line)["path"] == HOSTILE


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_keeps_its_lines_but_steers_nothing(form):
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.configure(redactor=Redactor(), form=form, stream=stream)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logs.get_logger("ours").exception("failed")
    finally:
        root.handlers[:], root.level = before
    assert not [letter for letter in STEERING if letter in stream.getvalue()]
    assert (stream.getvalue().count("\n") > 2) is (form == "console")


def test_tables_lines_and_errors_of_the_command_line_show_what_steers(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    output = Output()
    output.table("T", ["name"], [[HOSTILE]], empty="none")
    output.line(HOSTILE)
    output.raw(HOSTILE)
    output.error(ConflictError(HOSTILE))
    Output(json=True).document({"name": HOSTILE})
    out, err = capsys.readouterr()
    assert not [letter for letter in STEERING if letter in out + err]


def test_a_json_document_is_the_same_document():
    assert json.loads(visible_json(json.dumps({"n": HOSTILE}, indent=2, ensure_ascii=False))) == {"n": HOSTILE}


def test_words_joiners_and_what_is_to_be_kept_stay():
    family = "\U0001f468\u200d\U0001f469 Émma 中\u00a0x"
    assert visible(family) == family
    assert visible("a\nb\x1b", keep="\n") == "a\nb\\x1b"
    assert visible("\ud800") == "\\ud800"
