"""Every command explains itself, and refuses what it does not understand with exit code 2."""

from __future__ import annotations

import pytest
import typer.main
from typer.testing import CliRunner

from services.cli.app import app
from services.run.factory import VERSION


def commands(command, path=()):
    """Every command and group, as the words that call it."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


ALL = [path for path in commands(typer.main.get_command(app)) if path != ("sandbox",)]  # that one passes --help on
RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


def run(*words: str):
    return RUNNER.invoke(app, list(words))


def test_the_public_commands_are_there():
    expected = {
        ("serve",), ("doctor",), ("demo",), ("db", "upgrade"), ("db", "status"),
        *(("tenants", name) for name in ("list", "show", "up", "preview", "suspend", "resume", "restart", "destroy")),
        *(("operations", name) for name in ("list", "show", "cancel")),
        *(("backup", name) for name in ("list", "open", "upload")),
        *(("token", name) for name in ("create", "list", "revoke")),
        *(("admin", name) for name in ("stripe-setup", "overview")),
    }  # fmt: skip
    assert expected <= set(ALL)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_teaches(path):
    result = run(*path, "--help")
    assert result.exit_code == 0, result.output
    told = [line.strip() for line in result.output.splitlines() if line.strip() and "Usage:" not in line]
    assert len(told[0].split()) >= 4, result.output
    assert any(line.endswith((".", ".  ")) or ". " in line for line in told[:4]), result.output


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_and_argument_is_described(path):
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    undescribed = [p.name for p in command.params if p.name != "help" and not getattr(p, "help", None)]
    assert undescribed == []


@pytest.mark.parametrize("path", [path for path in ALL if path], ids=" ".join)
def test_an_unknown_option_is_refused(path):
    result = run(*path, "--nonsense")
    assert result.exit_code == 2
    assert "No such option: --nonsense" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tenant"], "No such command 'tenant'"),
        (["tenants", "shwo"], "No such command 'shwo'"),
        (["tenants", "show"], "Missing argument"),
        (["tenants", "show", "a", "b"], "unexpected extra argument"),
        (["tenants", "list", "--state", "happy"], "needs_attention"),
        (["tenants", "up", "a", "--timeout", "0"], "--timeout"),
        (["operations", "list", "--limit", "0"], "--limit"),
        (["token", "create", "a", "--days", "0"], "--days"),
        (["backup", "open", "somewhere"], "Missing argument"),
        (["serve", "--role", "king"], "worker"),
        (["serve", "--port", "70000"], "--port"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_refused_by_name(words, said):
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert said in result.output


def test_a_group_alone_shows_its_commands():
    result = run("tenants")
    assert "destroy" in result.output
    assert "preview" in result.output


def test_version():
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"clawstack {VERSION}\n")
