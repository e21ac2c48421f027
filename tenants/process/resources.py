"""The Python face of the `clawstack` provider plugin: one class per resource type.

What the inputs mean is said by `tenants.process_provider`, which checks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

PACKAGE = "clawstack"


class ProcessProvider(pulumi.ProviderResource):
    """The plugin `pulumi-resource-clawstack`, found on PATH by the engine."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PACKAGE, name, {}, opts)


class Account(pulumi.CustomResource):
    """An unprivileged account of this machine, for one cell."""

    name: pulumi.Output[str]
    uid: pulumi.Output[int]
    gid: pulumi.Output[int]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        slug: pulumi.Input[str],
        root: pulumi.Input[str],
        labels: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {"name": name, "slug": slug, "root": root, "labels": labels, "uid": None, "gid": None}
        super().__init__("clawstack:process:Account", resource_name, properties, opts)


class StateDirectory(pulumi.CustomResource):
    """The folders of a cell. Deleting it takes a verified backup first, then erases."""

    path: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        slug: pulumi.Input[str],
        root: pulumi.Input[str],
        account: pulumi.Input[str],
        uid: pulumi.Input[int],
        gid: pulumi.Input[int],
        backups: pulumi.Input[str],
        backup_key: pulumi.Input[str],
        skip_backup: pulumi.Input[bool],
        supervisor: pulumi.Input[str],
        node: pulumi.Input[str],
        openclaw: pulumi.Input[str],
        version: pulumi.Input[str],
        labels: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`account` is empty, `uid` and `gid` are -1 where the cell runs as the platform's own user."""
        properties = {
            "slug": slug,
            "root": root,
            "account": account,
            "uid": uid,
            "gid": gid,
            "backups": backups,
            "backupKey": pulumi.Output.secret(backup_key),
            "skipBackup": skip_backup,
            "supervisor": supervisor,
            "node": node,
            "openclaw": openclaw,
            "version": version,
            "labels": labels,
            "path": None,
        }
        super().__init__("clawstack:process:StateDirectory", resource_name, properties, opts)


class Gateway(pulumi.CustomResource):
    """The OpenClaw gateway of a cell: its files, its program in the supervisor, its running process."""

    endpoint: pulumi.Output[str]
    pid: pulumi.Output[int]
    version: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        slug: pulumi.Input[str],
        root: pulumi.Input[str],
        uid: pulumi.Input[int],
        gid: pulumi.Input[int],
        supervisor: pulumi.Input[str],
        node: pulumi.Input[str],
        openclaw: pulumi.Input[str],
        version: pulumi.Input[str],
        bind_host: pulumi.Input[str],
        port: pulumi.Input[int],
        reaches: pulumi.Input[Sequence[str]],
        config: pulumi.Input[str],
        workspace: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        environment: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        secret_environment: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        limits: pulumi.Input[Mapping[str, pulumi.Input[float]]],
        desired: pulumi.Input[str],
        restart_nonce: pulumi.Input[str],
        labels: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`limits` has the keys memoryMb, cpu, diskMb, maxProcesses, maxOpenFiles.

        `workspace` is secret too: it holds what the customer told about the family.
        """
        properties = {
            "slug": slug,
            "root": root,
            "uid": uid,
            "gid": gid,
            "supervisor": supervisor,
            "node": node,
            "openclaw": openclaw,
            "version": version,
            "bindHost": bind_host,
            "port": port,
            "reaches": reaches,
            "config": config,
            "workspace": pulumi.Output.secret(workspace),
            "environment": environment,
            "secretEnvironment": pulumi.Output.secret(secret_environment),
            "limits": limits,
            "desired": desired,
            "restartNonce": restart_nonce,
            "labels": labels,
            "endpoint": None,
            "pid": None,
        }
        super().__init__("clawstack:process:Gateway", resource_name, properties, opts)
