"""What commands write: values are never taken for markup, --json is one document, errors are one sentence."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest
import typer

from clawstack.errors import ConflictError, NeedsAttentionError
from clawstack.redaction import Redactor
from services.cli.output import Output, coloured, moment
from services.cli.session import guarded

HOSTILE = "[bold]x[/bold] [/] [link=http://evil]"


@pytest.fixture(autouse=True)
def no_colours(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


def raising(error: BaseException):
    def work() -> None:
        raise error

    return work


def test_values_in_tables_are_not_markup(capsys):
    Output().table("T", ["name", "state"], [[HOSTILE, "healthy"]], empty="none")
    out = capsys.readouterr().out
    assert HOSTILE in out
    assert "healthy" in out


def test_a_long_row_stays_one_line_when_no_terminal_shows_it(capsys):
    Output().table("T", ["id", "why"], [["x" * 36, "y" * 200]], empty="none")
    assert "x" * 36 + "  " + "y" * 200 in capsys.readouterr().out


def test_an_empty_table_says_what_that_means(capsys):
    Output().table("T", ["name"], [], empty="Nothing yet: make one.")
    assert capsys.readouterr().out == "Nothing yet: make one.\n"


def test_states_have_colours_and_absent_values_a_dash():
    assert coloured("failed") == "[red]failed[/red]"
    assert [coloured(None), coloured(""), coloured(0)] == ["-", "-", "0"]


def test_moments():
    assert moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05"
    assert moment(None) == "-"


def test_a_document_holds_what_json_does_not_know(capsys):
    key, at = uuid.uuid4(), datetime(2026, 1, 2, tzinfo=UTC)
    Output(json=True).document({"id": key, "at": at, "name": "Zoë"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"id": str(key), "at": "2026-01-02T00:00:00+00:00", "name": "Zoë"}
    assert "Zoë" in out


def test_lines_and_tables_leave_standard_output_to_the_document(capsys):
    output = Output(json=True)
    output.line("for people")
    output.table("T", ["a"], [["b"]], empty="")
    assert capsys.readouterr().out == ""


def test_an_error_is_message_and_remedy_on_standard_error(capsys):
    Output().error(ConflictError(f"No {HOSTILE}.", remedy="Do [this]."))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"error: No {HOSTILE}. Do [this].\n"


def test_under_json_an_error_is_the_one_document(capsys):
    with pytest.raises(typer.Exit) as ended:
        guarded(Output(json=True), raising(NeedsAttentionError("No.", code="some_code", remedy="Act.")))
    captured = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert json.loads(captured.out) == {"error": {"code": "some_code", "message": "No.", "remedy": "Act."}}
    assert captured.err == ""


def test_guarded_hands_on_the_result():
    assert guarded(Output(), lambda: 7) == 7


def test_our_errors_exit_with_one(capsys):
    with pytest.raises(typer.Exit) as ended:
        guarded(Output(), raising(ConflictError("Not now.")))
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "error: Not now.\n"


def test_ctrl_c_exits_with_130(capsys):
    with pytest.raises(typer.Exit) as ended:
        guarded(Output(), raising(KeyboardInterrupt()))
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_what_was_not_foreseen_is_one_redacted_line(capsys):
    redactor = Redactor()
    redactor.register("a-planted-secret")
    with pytest.raises(typer.Exit) as ended:
        guarded(Output(), raising(RuntimeError("broke at a-planted-secret\nand more")), redactor)
    error = capsys.readouterr().err
    assert ended.value.exit_code == 1
    assert error.count("\n") == 1
    assert "RuntimeError: broke at [secret]" in error
    assert "CLAWSTACK_LOG_LEVEL=DEBUG" in error


def test_the_systems_errors_keep_the_systems_words(capsys):
    with pytest.raises(typer.Exit):
        guarded(Output(), raising(PermissionError(13, "Permission denied", "/some/where")))
    assert capsys.readouterr().err.startswith("error: Permission denied (/some/where).")


def test_an_exit_asked_for_passes():
    with pytest.raises(typer.Exit) as ended:
        guarded(Output(), raising(typer.Exit(3)))
    assert ended.value.exit_code == 3
