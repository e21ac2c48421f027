"""Says where the tools are. Builds nothing, downloads nothing."""

from __future__ import annotations

from pathlib import Path

from clawstack.errors import NeedsAttentionError
from clawstack.tools import PluginInfo, Tools
from toolchain.ground import pins
from toolchain.ground.finding import Found, find_node, find_openclaw, find_pulumi
from toolchain.ground.plugin_choice import PluginChoice, choose_plugins, plugin_path
from toolchain.ground.surroundings import Surroundings


def locate(around: Surroundings | None = None) -> Tools:
    """The tools of this machine.

    Raises NeedsAttentionError that names all that is missing and the command that gets it. Costs a few file look-ups,
    and one `pulumi version` (0.1 s) where the CLI is one that the person installed. Where no cell may run
    (`Surroundings.gateways`), Node and OpenClaw are looked for and not missed.
    """
    around = around or Surroundings.read()
    pulumi, node, openclaw = find_pulumi(around), find_node(around), find_openclaw(around)
    choices = choose_plugins(around, pulumi.path if pulumi else None)
    if not around.gateways:
        node, openclaw = node or _elsewhere("node"), openclaw or _elsewhere("openclaw.mjs")
    missing = _missing(pulumi, node, openclaw, choices)
    if missing or pulumi is None or node is None or openclaw is None:
        names = ", ".join(name for name, _ in missing)
        parts = " ".join(dict.fromkeys(part for _, part in missing))
        raise NeedsAttentionError(
            f"This machine has no {names}.",
            code="toolchain_incomplete",
            remedy=f"Run `{around.interpreter} -m toolchain setup {parts}`.",
        )
    return Tools(
        pulumi=pulumi.path,
        pulumi_version=pulumi.version,
        plugin_path=plugin_path(around, choices),
        node=node.path,
        openclaw=openclaw.path,
        openclaw_version=openclaw.version,
        plugins=tuple(
            PluginInfo(name=c.name, kind=c.kind, origin=c.origin, version=c.version, path=c.path)
            for c in choices
            if c.path is not None
        ),
    )


def _elsewhere(name: str) -> Found:
    """A cell that were started here all the same would fail by naming this file."""
    return Found(path=Path("/nonexistent", name), version=pins.OPENCLAW, origin="elsewhere")


def _missing(
    pulumi: Found | None, node: Found | None, openclaw: Found | None, choices: tuple[PluginChoice, ...]
) -> list[tuple[str, str]]:
    """Names of what is missing, each with the part of the set-up that gets it."""
    tools = [("Pulumi CLI", "pulumi", pulumi), ("Node", "openclaw", node), ("OpenClaw", "openclaw", openclaw)]
    missing = [(name, part) for name, part, found in tools if found is None]
    missing += [(f"plugin {c.file}", "plugins") for c in choices if c.path is None and c.required]
    return missing
