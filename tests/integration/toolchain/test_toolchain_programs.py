"""Local programs with random resources, through the real engine and the offline plugins."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.integration.toolchain.conftest import await_none
from tests.integration.toolchain.engine import Project
from tests.waiting import patient, until

PROGRAM = """
    import pulumi
    import pulumi_random as random

    password = random.RandomPassword("password", length=24, special=False)
    name = random.RandomString("name", length=8, upper=False, special=False, keepers={{"generation": "{generation}"}})
    follower = random.RandomPet("follower", prefix=name.result)
    pulumi.export("password", password.result)
    pulumi.export("name", name.result)
    pulumi.export("follower", follower.id)
    print("the program says hello")
"""


def test_a_stack_lives_from_preview_to_destroy(project: Project) -> None:
    project.write(PROGRAM.format(generation=1))
    preview = project.pulumi("preview", "--stack", "dev")
    assert "4 to create" in preview
    assert "the program says hello" in preview
    assert project.outputs() == {}

    created = project.up()
    assert "4 created" in created
    assert "$PATH" not in created, "plugins in the engine's own store bring no warning"
    first = project.outputs("--show-secrets")
    assert first["follower"].startswith(first["name"] + "-")

    assert "4 unchanged" in project.up()
    assert project.outputs("--show-secrets") == first
    assert "4 unchanged" in project.pulumi("refresh", "--yes", "--stack", "dev")
    assert project.outputs("--show-secrets") == first

    destroyed = project.pulumi("destroy", "--yes", "--stack", "dev")
    assert "4 deleted" in destroyed


def test_a_secret_is_masked_on_screen_and_encrypted_in_state(project: Project) -> None:
    project.write(PROGRAM.format(generation=1))
    printed = project.up()
    password = project.outputs("--show-secrets")["password"]
    assert project.outputs()["password"] == "[secret]"
    assert len(password) == 24
    assert password not in printed
    assert password not in project.state()


def test_new_keepers_replace_and_everything_that_depends_follows(project: Project) -> None:
    project.write(PROGRAM.format(generation=1))
    project.up()
    before = project.outputs("--show-secrets")
    project.write(PROGRAM.format(generation=2))
    assert "2 to replace" in project.pulumi("preview", "--stack", "dev")
    assert project.outputs("--show-secrets") == before
    project.up()
    after = project.outputs("--show-secrets")
    assert after["password"] == before["password"]
    assert after["name"] != before["name"]
    assert after["follower"].startswith(after["name"] + "-")


def test_an_impossible_input_stops_the_update_with_its_sentence(project: Project) -> None:
    project.write(
        """
        import pulumi_random as random
        random.RandomPassword("password", length=2, min_lower=3)
        """
    )
    code, printed = project.attempt("up", "--yes", "--skip-preview", "--stack", "dev")
    assert code != 0
    assert "length is 2; it must be at least 1 and at least the sum of the minimums, 3." in printed


def test_a_program_that_fails_shows_where_once(project: Project) -> None:
    project.write(
        """
        import pulumi
        pulumi.log.warn("about to fail")
        raise ValueError("no such plan: gold")
        """
    )
    code, printed = project.attempt("preview", "--stack", "dev")
    assert code != 0
    assert "ValueError: no such plan: gold" in printed
    assert "The program ended" not in printed, "the person was told already"


def test_a_program_that_leaves_early_is_told_with_its_code(project: Project) -> None:
    project.write("import os\nos._exit(7)\n")
    code, printed = project.attempt("preview", "--stack", "dev")
    assert code != 0
    assert "The program ended with code 7." in printed


def test_configuration_reaches_the_program_and_its_secrets_stay_secret(project: Project) -> None:
    project.pulumi("config", "set", "size", "11", "--stack", "dev")
    project.pulumi("config", "set", "--secret", "token", "hunter2-hunter2", "--stack", "dev")
    project.write(
        """
        import pulumi
        import pulumi_random as random
        config = pulumi.Config()
        name = random.RandomString("name", length=config.require_int("size"), keepers={"t": config.require_secret("token")})
        pulumi.export("length", name.length)
        pulumi.export("keepers", name.keepers)
        """
    )
    printed = project.up()
    assert project.outputs()["length"] == 11
    assert project.outputs("--show-secrets")["keepers"] == {"t": "hunter2-hunter2"}
    assert "hunter2-hunter2" not in printed
    assert "hunter2-hunter2" not in project.state()


BLOCKED = """
    import pathlib, time
    import pulumi_random as random
    random.RandomPet("pet").id.apply(lambda _: pathlib.Path("running").touch())
    import asyncio
    async def forever():
        while True:
            await asyncio.sleep(0.1)
    import pulumi
    pulumi.export("never", pulumi.Output.from_input(forever()))
"""


def test_an_interrupt_is_quiet_and_leaves_neither_processes_nor_a_lock(project: Project) -> None:
    project.write(BLOCKED)
    child = project.start("up", "--yes", "--skip-preview", "--stack", "dev")
    _await((project.program / "running").exists)
    os.killpg(child.pid, signal.SIGINT)
    printed, _ = child.communicate(timeout=patient(30))
    assert child.returncode != 0
    assert "Traceback" not in printed
    assert "KeyboardInterrupt" not in printed
    assert await_none(project) == []
    assert "random:index/randomPet:RandomPet" in project.state(), "what was created is remembered"
    project.pulumi("destroy", "--yes", "--stack", "dev")


def test_plugins_and_programs_end_when_the_engine_is_killed(project: Project) -> None:
    project.write(BLOCKED)
    child = project.start("up", "--yes", "--skip-preview", "--stack", "dev")
    _await((project.program / "running").exists)
    assert len(project.processes()) >= 4, "engine, host, program and provider"
    child.kill()
    child.communicate(timeout=patient(30))
    assert await_none(project) == []


def _await(condition: Callable[[], bool], seconds: float = 60) -> None:
    until(condition, f"{condition}", seconds=seconds)
