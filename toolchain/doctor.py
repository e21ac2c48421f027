"""Says what is there, what is missing and which command mends it. Pure data; whoever asks draws it."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from toolchain.cluster.packages import missing_node_packages
from toolchain.cluster.pins import CLUSTER_BUILDS, KUBERNETES
from toolchain.ground import pins
from toolchain.ground.finding import Found, find_chromium, find_node, find_openclaw, find_pulumi
from toolchain.ground.plugin_choice import PluginChoice, choose_plugins
from toolchain.ground.surroundings import Surroundings
from toolchain.steps.system import CHROMIUM_COMMAND, SYSTEM_PACKAGES, missing_packages

_PYTHON: Final = (3, 11)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding. `ok` is False only where something must be done; `detail` says what a person may want to know."""

    name: str
    ok: bool
    found: str
    wanted: str
    remedy: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class DoctorReport:
    """All findings, in the order in which a person would mend them."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing must be done."""
        return all(check.ok for check in self.checks)


def examine(
    around: Surroundings | None = None, *, production: bool = False, needed: Collection[str] = ()
) -> DoctorReport:
    """Looks at the machine. `production` also refuses offline plugins: they are stand-ins for development and tests.

    `needed`: names of plugins that this installation's cells need, though not every installation's do.
    """
    around = around or Surroundings.read()
    pulumi = find_pulumi(around)
    plugins = choose_plugins(around, pulumi.path if pulumi else None)
    return DoctorReport(
        checks=(
            _python(),
            _tool(around, "Pulumi CLI", pulumi, f">= {pins.dotted(pins.PULUMI_MINIMUM)}", "pulumi"),
            *(_plugin(around, _asked(plugin, needed), production=production) for plugin in plugins),
            _for_cells(around, "Node", find_node(around), f">= {pins.dotted(pins.NODE_MINIMUM)}"),
            _for_cells(around, "OpenClaw", find_openclaw(around), pins.OPENCLAW),
            _system(around),
            _chromium(around),
            _cluster(around),
        )
    )


def _python() -> Check:
    version = sys.version_info
    return Check(
        name="Python",
        ok=(version.major, version.minor) == _PYTHON,
        found=f"{version.major}.{version.minor}.{version.micro}",
        wanted="3.11",
        remedy="" if (version.major, version.minor) == _PYTHON else "Install Python 3.11 and run `make setup`.",
        detail=sys.executable,
    )


def _tool(around: Surroundings, name: str, found: Found | None, wanted: str, part: str) -> Check:
    if found is None:
        return Check(name=name, ok=False, found="missing", wanted=wanted, remedy=setup_command(around, part))
    return Check(name=name, ok=True, found=found.version, wanted=wanted, detail=f"{found.origin}: {found.path}")


def _for_cells(around: Surroundings, name: str, found: Found | None, wanted: str) -> Check:
    if found is None and not around.gateways:
        return Check(name=name, ok=True, found="not here", wanted="only where cells are processes of this machine")
    return _tool(around, name, found, wanted, "openclaw")


def _asked(plugin: PluginChoice, needed: Collection[str]) -> PluginChoice:
    return replace(plugin, required=plugin.required or plugin.name in needed)


def _plugin(around: Surroundings, plugin: PluginChoice, *, production: bool) -> Check:
    name = f"Plugin {plugin.name}"
    official = f"pulumi plugin install {plugin.kind} {plugin.name} {plugin.version}"
    if plugin.kind == "language":
        official = "Install Pulumi with its Python language host (https://www.pulumi.com/docs/install/)"
    if plugin.path is None:
        if not plugin.required:
            wanted = "only where its resources are used"
            return Check(name=name, ok=True, found="missing", wanted=wanted, detail=f"To get it: {official}")
        return Check(name=name, ok=False, found="missing", wanted="present", remedy=setup_command(around, "plugins"))
    found = f"{plugin.origin} {plugin.version}".strip()
    refused = production and plugin.origin == "offline" and plugin.required
    return Check(
        name=name,
        ok=not refused,
        found=found,
        wanted="official" if production and plugin.origin != "project" else "present",
        remedy=official if refused else "",
        detail=_detail(plugin, official, production=production),
    )


def _detail(plugin: PluginChoice, official: str, *, production: bool) -> str:
    if production and plugin.origin == "offline":
        return f"Not used in production. To get the official one: {official}"
    return str(plugin.path)


def _system(around: Surroundings) -> Check:
    missing = missing_packages(around)
    wanted = ", ".join(package.package for package in SYSTEM_PACKAGES)
    if not missing:
        return Check(name="System packages", ok=True, found=wanted, wanted=wanted)
    return Check(
        name="System packages",
        ok=False,
        found=f"missing: {', '.join(package.package for package in missing)}",
        wanted=wanted,
        remedy=setup_command(around, "system"),
        detail="; ".join(f"{package.package}: {package.purpose}" for package in missing),
    )


def _chromium(around: Surroundings) -> Check:
    found = find_chromium(around)
    if found is None:
        remedy = f"To run the browser tests: {CHROMIUM_COMMAND}"
        return Check(name="Chromium", ok=True, found="missing", wanted="only for browser tests", detail=remedy)
    return Check(name="Chromium", ok=True, found=str(found), wanted="only for browser tests")


def _cluster(around: Surroundings) -> Check:
    wanted = "only for tests on a Kubernetes of this machine's own"
    missing = [f"{build.name} {build.version}" for build in CLUSTER_BUILDS if not build.folder(around).is_dir()]
    missing += [package.package for package in missing_node_packages(around)]
    if missing:
        told = f"To get it: {setup_command(around, 'cluster')} (5 to 10 minutes, as root)"
        return Check(name="Test cluster", ok=True, found=f"missing: {', '.join(missing)}", wanted=wanted, detail=told)
    return Check(name="Test cluster", ok=True, found=f"Kubernetes {KUBERNETES}", wanted=wanted)


def setup_command(around: Surroundings, part: str) -> str:
    """The command that gets a part."""
    return f"{around.interpreter} -m toolchain setup {part}"
