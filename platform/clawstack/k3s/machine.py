"""Files of the machine below Kubernetes: systemd units, updates, SSH, and a wall around the metadata service."""

from __future__ import annotations

from typing import Final

METADATA: Final = "169.254.169.254"

#: The metadata service answers every process on the machine, with the user data and what it holds. Pods never need it;
#: those of the storage driver, which do, use the node's own network and run as root.
METADATA_WALL: Final = f"""\
table ip clawstack_metadata
delete table ip clawstack_metadata
table ip clawstack_metadata {{
  chain pods {{
    type filter hook forward priority -200; policy accept;
    ip daddr {METADATA} drop
  }}
  chain users {{
    type filter hook output priority -200; policy accept;
    ip daddr {METADATA} meta skuid != 0 drop
  }}
}}
"""

METADATA_UNIT: Final = """\
[Unit]
Description=Keep pods and users from the metadata service
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target k3s.service k3s-agent.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/clawstack/metadata.nft

[Install]
WantedBy=multi-user.target
"""

NODE_UNIT: Final = """\
[Unit]
Description=Make this machine a node of its cluster
Wants=network-online.target
After=network-online.target
ConditionPathExists=!/var/lib/clawstack/joined
# Ten tries, then a person must look: journalctl -u clawstack-node
StartLimitIntervalSec=86400
StartLimitBurst=10

[Service]
Type=oneshot
ExecStart=/usr/local/lib/clawstack/node.sh
Restart=on-failure
RestartSec=30
TimeoutStartSec=3600

[Install]
WantedBy=multi-user.target
"""

UPGRADES: Final = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
Unattended-Upgrade::Remove-Unused-Dependencies "true";
// kured restarts one node after the other, when /run/reboot-required says so.
Unattended-Upgrade::Automatic-Reboot "false";
"""

SSH: Final = """\
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxAuthTries 3
X11Forwarding no
AllowAgentForwarding no
"""

MODULES: Final = "br_netfilter\noverlay\nwireguard\n"


def k3s_unit(*, server: bool) -> str:
    """The systemd unit of K3s. Binary and unit are named as the official installer does: the upgrade controller's
    image looks for them.
    """
    kind = "server" if server else "agent"
    return f"""\
[Unit]
Description=K3s {kind}
Documentation=https://docs.k3s.io
Wants=network-online.target
After=network-online.target

[Service]
Type={"notify" if server else "exec"}
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s {kind}
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
"""
