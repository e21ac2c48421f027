"""Puts the plugins in use where the engine looks without a remark: into the store of a PULUMI_HOME."""

from __future__ import annotations

from pathlib import Path

from clawstack.tools import PluginKind, Tools


def link_plugins(tools: Tools, pulumi_home: Path) -> None:
    """Links every plugin whose version is known into `pulumi_home`/plugins; safe to repeat and to run side by side.

    The engine warns on every update about each plugin that it takes from PATH. It does not about its own store,
    which must hold real folders (a linked folder is passed over) with links inside.
    """
    for plugin in tools.plugins:
        if plugin.version:
            link_plugin(plugin.kind, plugin.name, plugin.version, plugin.path, pulumi_home)


def link_plugin(kind: PluginKind, name: str, version: str, plugin: Path, pulumi_home: Path) -> None:
    """Link one plugin with what lies beside it."""
    folder = pulumi_home / "plugins" / f"{kind}-{name}-v{version}"
    folder.mkdir(parents=True, exist_ok=True)
    for file in plugin.parent.iterdir():
        link = folder / file.name
        if link.is_symlink() and link.readlink() == file:
            continue
        scratch = folder / f".{file.name}.new"
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(file)
        scratch.replace(link)
