"""Files around the supervisor: what they say, that they appear whole, that nothing is expanded in them."""

from __future__ import annotations

import configparser
import shlex
import stat
from pathlib import Path

from tenants.paths import SupervisorPaths
from tenants.process.files import read_json, write_file
from tenants.process.launch import Launch, Limits
from tenants.process.programs import program_name, render_daemon, render_program, slug_of

LIMITS = Limits(memory_mb=1536, cpu=1.0, disk_mb=2048, max_processes=256, max_open_files=4096)
LAUNCH = Launch(
    slug="emma", root="/cells/emma", argv=("node", "openclaw.mjs"), environment={"A_TOKEN": "planted % \" ' ;"},
    directory="/", port=21001, uid=None, gid=None, limits=LIMITS, stop_seconds=30.0,
)  # fmt: skip


def _read(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    return parser


def test_program_names_lead_back_to_the_cell() -> None:
    assert slug_of(program_name("emma-1")) == "emma-1"
    assert slug_of("postgres") is None


def test_a_program_never_loops_on_exit_code_78_and_ends_its_whole_tree() -> None:
    text = render_program(
        slug="emma", python="/venv/bin/python", log=Path("/cells/emma/logs/gateway.log"), stop_seconds=30
    )
    program = _read(text)["program:cell-emma"]
    assert program["autorestart"] == "unexpected"
    assert program["exitcodes"] == "78"
    assert program["startsecs"] == "0"
    assert program["killasgroup"] == "true"
    assert int(program["stopwaitsecs"]) > 30
    assert program["stdout_logfile_maxbytes"] == "5MB"


def test_percent_signs_and_spaces_of_a_path_survive_supervisords_reading() -> None:
    text = render_program(slug="emma", python="/my venv/50%/python", log=Path("/d%s/l"), stop_seconds=1)
    program = _read(text)["program:cell-emma"]
    expanded = program["command"] % {}
    assert shlex.split(expanded)[0] == "/my venv/50%/python"
    assert program["stdout_logfile"] % {} == "/d%s/l"
    assert "d%%%%s" not in text


def test_the_supervisors_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    parsed = _read(render_daemon(SupervisorPaths(folder=tmp_path)))
    assert parsed["unix_http_server"]["chmod"] == "0700"
    assert not parsed.has_section("inet_http_server")


def test_a_launch_survives_its_file_and_shows_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "emma.json"
    LAUNCH.write(file)
    assert Launch.read(file) == LAUNCH
    assert Launch.read(file).digest() == LAUNCH.digest()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "planted" not in repr(LAUNCH)


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x"
    assert write_file(file, "one")
    assert not write_file(file, "one")
    file.chmod(0o644)
    assert write_file(file, "one"), "an open mode must be mended"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    assert read_json(file) == {}
    file.write_text('{"half":')
    assert read_json(file) == {}
