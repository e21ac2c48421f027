"""The services of the machine: the gateway behind systemd's walls, the agent, and the network wall."""

from __future__ import annotations

import shlex
from typing import Final

from tenants.server.places import (
    ACCOUNT,
    AGENT,
    GATEWAY_ENV,
    HOSTS,
    PORT,
    VOLUME,
    WALL_FILE,
    WALL_UNIT,
    WORKSPACE,
    cell_root,
    node_home,
)
from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec

_STOP_SECONDS: Final = 330
"""315 s to finish turns, 10 s to clean up, 5 s margin (OpenClaw documentation, `gateway/restart-recovery.md`)."""
_OPERATOR_NEEDED: Final = 78
"""The gateway's exit code for configuration, lock or migration trouble: starting it again changes nothing."""
REFUSED: Final = 77
"""The agent's exit code when the platform refuses it for good."""

#: systemd.exec(5). Not MemoryDenyWriteExecute: V8 makes code at run time.
_HARDENING: Final = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
PrivateIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @keyring @debug @mount
SystemCallErrorNumber=EPERM
IPAddressDeny=link-local multicast
UMask=0077
"""


#: Sockets of services that ask name servers for whoever calls, past the packet filter.
_RESOLVERS: Final = "-/run/systemd/resolve -/run/nscd -/run/dbus -/run/avahi-daemon"


def gateway_unit(spec: CellSpec) -> str:
    """The gateway's service; `spec` is that of `files.on_machine`. Nothing starts it but the agent, once the volume is open."""
    root = cell_root(spec.slug)
    limits = spec.resources
    return f"""\
[Unit]
Description=OpenClaw gateway of {spec.slug}
Requires={WALL_UNIT}
After=network-online.target {WALL_UNIT}
ConditionPathIsMountPoint={VOLUME}
StartLimitIntervalSec=600
StartLimitBurst=10

[Service]
Type=exec
User={ACCOUNT}
Group={ACCOUNT}
EnvironmentFile={GATEWAY_ENV}
WorkingDirectory={root}/state
ExecStartPre=/bin/sh -euc {_in_unit(seed_script(spec.slug))}
ExecStart={spec.runtime.node} {spec.runtime.openclaw} gateway --port {PORT}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={_OPERATOR_NEEDED}
KillMode=mixed
TimeoutStopSec={_STOP_SECONDS}
StandardOutput=append:{root}/logs/gateway.log
StandardError=inherit
MemoryMax={limits.memory_mb}M
MemorySwapMax=0
TasksMax={limits.max_processes}
CPUQuota={round(limits.cpu * 100)}%
LimitNOFILE={limits.max_open_files}
LimitFSIZE={limits.disk_mb}M
LimitCORE=0
ReadWritePaths={root}/state
InaccessiblePaths=-/etc/clawstack {_RESOLVERS}
BindReadOnlyPaths={HOSTS}:/etc/hosts
{_HARDENING}"""


def seed_script(slug: str) -> str:
    """What the gateway's own account does before each start: root never writes into a folder that a cell controls."""
    state = cell_root(slug) / "state"
    return (
        f"umask 077; [ ! -L {state}/workspace ] || rm {state}/workspace; "  # a link that leads nowhere stops mkdir
        f"mkdir -p {state}/logs {state}/tmp {state}/workspace; "  # noqa: S108 - the cell's own
        f"cp -f --remove-destination {WORKSPACE}/* {state}/workspace/; "  # a pipe in a file's place would block for ever
        f"chmod 700 {state}"
    )


def wall_unit() -> str:
    """Loads the network wall, at every start of the machine, before anything that it holds."""
    return f"""\
[Unit]
Description=Network wall of the cell
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {WALL_FILE}
ExecReload=/usr/sbin/nft -f {WALL_FILE}

[Install]
WantedBy=multi-user.target
"""


def agent_unit(settings: ServerSettings) -> str:
    """The platform's hand on the machine. It mounts volumes, so it has no mount namespace of its own."""
    return f"""\
[Unit]
Description=clawstack agent
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={node_home(settings.node.version)}/bin/node {AGENT}
Restart=always
RestartSec=5
RestartPreventExitStatus={REFUSED}
KillMode=process
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
UMask=0077
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""


def _in_unit(script: str) -> str:
    """One argument of a command line in a unit: quoted, and nothing for systemd to expand (systemd.service(5))."""
    return shlex.quote(script).replace("%", "%%").replace("$", "$$")
