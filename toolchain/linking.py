"""Puts the plugins in use where the engine looks without a remark: into a PULUMI_HOME of the platform's own."""

from __future__ import annotations

from pathlib import Path

from clawstack.tools import PluginInfo, Tools


def link_plugins(tools: Tools, pulumi_home: Path) -> None:
    """Links every plugin whose version is known into `pulumi_home`/plugins; safe to repeat and to run side by side.

    The engine warns on every update about each plugin that it takes from PATH. It does not about its own store,
    which must hold real folders (a linked folder is passed over) with links inside.
    """
    for plugin in tools.plugins:
        if plugin.version:
            _link(plugin, pulumi_home / "plugins" / f"{plugin.kind}-{plugin.name}-v{plugin.version}")


def _link(plugin: PluginInfo, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in plugin.path.parent.iterdir():
        link = folder / file.name
        if link.is_symlink() and link.readlink() == file:
            continue
        scratch = folder / f".{file.name}.new"
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(file)
        scratch.replace(link)
