"""The tools that engine and gateways need, in the one shape in which they are found, chosen and handed on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

PluginKind = Literal["language", "resource"]
Origin = Literal["official", "offline", "project"]


@dataclass(frozen=True, kw_only=True)
class PluginInfo:
    """One Pulumi plugin in use. `version` is empty where only starting it would tell."""

    name: str
    kind: PluginKind
    origin: Origin
    version: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Where everything is. Put the folders of `plugin_path` before PATH when starting `pulumi`."""

    pulumi: Path
    pulumi_version: str
    plugin_path: tuple[Path, ...]
    node: Path
    openclaw: Path
    openclaw_version: str
    plugins: tuple[PluginInfo, ...] = ()

    def without_offline(self) -> Tools:
        """The same without plugins that take an official one's place: what needs one fails and names the official one."""
        hidden = {plugin.path.parent for plugin in self.plugins if plugin.origin == "offline"}
        shown = tuple(path for path in self.plugin_path if path not in hidden)
        return replace(self, plugin_path=shown)
