"""What `pulumi` beside the interpreter does: at every start it looks which plugins there are, then becomes the CLI.

Nothing is decided at set-up: an official plugin that came since is used, as `clawstack doctor` says. The engine makes a
remark on every update about each plugin that it takes from PATH, and none about its own store. So it gets a PULUMI_HOME
with links to the plugins in use; credentials and selected stacks stay where the person has them, and no stand-in gets
into the person's own store, where other projects would find it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from clawstack.errors import ClawstackError, NeedsAttentionError
from toolchain.ground.finding import find_pulumi
from toolchain.ground.plugin_choice import PluginChoice, choose_plugins, plugin_path
from toolchain.ground.surroundings import Surroundings
from toolchain.linking import link_plugin

_MANAGES_STORE: Final = frozenset({"plugin", "install", "package"})
"""Commands that put plugins into the person's own store."""
_CREDENTIALS: Final = "PULUMI_CREDENTIALS_PATH"
_SELECTIONS: Final = "workspaces"
"""Where the CLI keeps which stack is selected in which project."""


def main() -> None:
    """Replaces this process by the CLI. Exit code 1 with a sentence where there is none."""
    try:
        command, environ = prepared(Surroundings.read(), sys.argv[1:], os.environ)
    except ClawstackError as error:
        sys.exit(error.sentence())
    os.execve(command[0], command, environ)  # noqa: S606 - the CLI that was found


def prepared(
    around: Surroundings, arguments: Sequence[str], environ: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The CLI's command and environment, with the plugins in use where its engine looks."""
    pulumi = find_pulumi(around)
    if pulumi is None:
        raise NeedsAttentionError(
            "There is no suitable Pulumi CLI.", remedy=f"Run `{around.interpreter} -m toolchain setup pulumi plugins`."
        )
    choices = choose_plugins(around, pulumi.path)
    command = [str(pulumi.path), *arguments]
    if not _MANAGES_STORE.isdisjoint(arguments[:1]):
        return command, _on_path(around, choices, environ)
    try:
        home = _home(around, choices)
    except OSError:  # a cache or home that cannot be written: PATH serves as well, with a remark
        return command, _on_path(around, choices, environ)
    unversioned = tuple(choice for choice in choices if not choice.version)
    changes = {"PULUMI_HOME": str(home), _CREDENTIALS: environ.get(_CREDENTIALS) or str(around.pulumi_home)}
    return command, {**_on_path(around, unversioned, environ), **changes}


def _home(around: Surroundings, choices: tuple[PluginChoice, ...]) -> Path:
    """One for each choice of plugins and each person's own: what is in it never changes, so that runs bear each other."""
    digest = hashlib.sha256(repr((around.pulumi_home, choices)).encode()).hexdigest()[:12]
    home = around.cache / "pulumi-homes" / digest
    for choice in choices:
        if choice.path is not None and choice.version:
            link_plugin(choice.kind, choice.name, choice.version, choice.path, home)
    own, link = around.pulumi_home / _SELECTIONS, home / _SELECTIONS
    own.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        scratch = link.with_name(f".{link.name}-{os.getpid()}")
        scratch.symlink_to(own)
        scratch.replace(link)
    return home


def _on_path(around: Surroundings, choices: tuple[PluginChoice, ...], environ: Mapping[str, str]) -> dict[str, str]:
    folders = [str(folder) for folder in plugin_path(around, choices)]
    return {**environ, "PATH": os.pathsep.join([*folders, environ.get("PATH", os.defpath)])}


if __name__ == "__main__":
    main()
