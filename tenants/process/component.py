"""A process cell as Pulumi resources: Account -> StateDirectory -> Gateway, below one component.

Its network wall comes with the account (`tenants.process.wall`). Deliberately not here: backups on a schedule
(`services/business/backups`).
"""

from __future__ import annotations

from datetime import date
from typing import Final

import pulumi
from typing_extensions import override

from clawstack.errors import InvalidInputError
from tenants.builder import DeclaredCell, SubstrateBuilder
from tenants.process import NAME
from tenants.process.plan import ProcessPlan, build_plan
from tenants.process.resources import Account, Gateway, ProcessProvider, StateDirectory
from tenants.spec import CellSpec

_LOOPBACK: Final = "127.0.0.1"
_NO_ID: Final = -1


class ProcessCell(pulumi.ComponentResource):
    """One cell of the `process` substrate."""

    endpoint: pulumi.Output[str]
    state_directory: pulumi.Output[str]
    openclaw_version: pulumi.Output[str]
    pid: pulumi.Output[int]

    def __init__(self, name: str, plan: ProcessPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:tenants:ProcessCell", name, None, opts)
        provider = ProcessProvider(f"{name}-provider", opts=pulumi.ResourceOptions(parent=self))
        child = pulumi.ResourceOptions(parent=self, provider=provider)
        uid, gid = self._account(name, plan, child)
        directory = self._directory(name, plan, uid, gid, child)
        gateway = self._gateway(
            name, plan, uid, gid, pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[directory])
        )
        self.endpoint = gateway.endpoint
        self.state_directory = directory.path
        self.openclaw_version = gateway.version
        self.pid = gateway.pid
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "stateDirectory": self.state_directory,
                "openclawVersion": self.openclaw_version,
            }
        )

    def _account(
        self, name: str, plan: ProcessPlan, child: pulumi.ResourceOptions
    ) -> tuple[pulumi.Input[int], pulumi.Input[int]]:
        if plan.account is None:
            return _NO_ID, _NO_ID
        account = Account(
            f"{name}-account", name=plan.account, slug=plan.slug, root=plan.root, labels=plan.labels, opts=child
        )
        return account.uid, account.gid

    def _directory(
        self,
        name: str,
        plan: ProcessPlan,
        uid: pulumi.Input[int],
        gid: pulumi.Input[int],
        child: pulumi.ResourceOptions,
    ) -> StateDirectory:
        return StateDirectory(
            f"{name}-state",
            slug=plan.slug,
            root=plan.root,
            account=plan.account or "",
            uid=uid,
            gid=gid,
            backups=plan.backups,
            backup_key=plan.backup_key,
            skip_backup=plan.skip_backup,
            supervisor=plan.supervisor,
            node=plan.node,
            openclaw=plan.openclaw,
            version=plan.version,
            labels=plan.labels,
            opts=child,
        )

    def _gateway(
        self,
        name: str,
        plan: ProcessPlan,
        uid: pulumi.Input[int],
        gid: pulumi.Input[int],
        child: pulumi.ResourceOptions,
    ) -> Gateway:
        limits = plan.limits
        return Gateway(
            f"{name}-gateway",
            slug=plan.slug,
            root=plan.root,
            uid=uid,
            gid=gid,
            supervisor=plan.supervisor,
            node=plan.node,
            openclaw=plan.openclaw,
            version=plan.version,
            bind_host=_LOOPBACK,
            port=plan.port,
            reaches=list(plan.reaches),
            config=plan.config,
            workspace=plan.workspace,
            environment=plan.environment,
            secret_environment=plan.secret_environment,
            limits={
                "memoryMb": limits.memory_mb,
                "cpu": limits.cpu,
                "diskMb": limits.disk_mb,
                "maxProcesses": limits.max_processes,
                "maxOpenFiles": limits.max_open_files,
            },
            desired=plan.desired,
            restart_nonce=plan.restart_nonce,
            labels=plan.labels,
            opts=child,
        )


class ProcessBuilder(SubstrateBuilder[ProcessPlan]):
    """Builds cells of the `process` substrate."""

    @override
    def build(self, spec: CellSpec, *, today: date) -> ProcessPlan:
        if spec.substrate != NAME:
            raise InvalidInputError(f"Cell {spec.slug} is for {spec.substrate}, not for processes.")
        return build_plan(spec, today=today)

    @override
    def component(self, plan: ProcessPlan, opts: pulumi.ResourceOptions | None = None) -> DeclaredCell:
        return ProcessCell(plan.slug, plan, opts)
