"""A worker in a process of its own, to be killed: `python -m tests.integration.provisioner.worker_process`, JSON on stdin."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import procrastinate

from clawstack import logs
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from clawstack.tools import Tools
from services.cells.provisioner import tasks
from services.cells.provisioner.machine import Machine
from services.kit.jobs import worker
from services.kit.jobs.metrics import JobMetrics
from services.kit.parts import Part
from services.run.factory import build_platform
from services.run.parts.provisioner import create_reconciler
from tests.integration.provisioner.programs import probe_program
from tests.integration.provisioner.rig import Seen


async def work(given: dict[str, Any]) -> None:
    settings = Settings(
        _env_file=None,
        data_dir=Path(given["data_dir"]),
        database_url=given["database_url"],
        master_key=given["master_key"],
        lease_ttl=timedelta(seconds=given["lease_seconds"]),
        operation_grace=timedelta(seconds=2),
        policy_pack=Path(given["data_dir"]) / "no-policies",
    )
    redactor = Redactor()
    logs.configure(redactor=redactor, form="json")
    platform = build_platform(settings, database_url=given["database_url"], redactor=redactor)
    machine = Machine(_tools(given["tools"]))
    reconciler = create_reconciler(
        platform=platform,
        neighbours=Seen().neighbours(),
        make_program=probe_program(Path(given["probe"])),
        machine=machine,
    )

    def register(app: procrastinate.App) -> None:
        tasks.register(app, reconciler=lambda: reconciler, database=platform.database)

    # Dead workers are to be noticed in seconds here, not after the product's patient terms.
    worker._HEARTBEAT_SECONDS = 0.5
    worker.STALLED_AFTER_SECONDS = given["stalled_seconds"]
    parts = (Part(name="provisioner", register_tasks=register),)
    await worker.run_worker(
        given["database_url"], parts, name=f"test-{os.getpid()}", concurrency=6, metrics=JobMetrics()
    )


def _tools(given: dict[str, Any]) -> Tools:
    return Tools(
        pulumi=Path(given["pulumi"]),
        pulumi_version=given["pulumi_version"],
        plugin_path=tuple(map(Path, given["plugin_path"])),
        node=Path(given["node"]),
        openclaw=Path(given["openclaw"]),
        openclaw_version=given["openclaw_version"],
    )


def main() -> None:
    asyncio.run(work(json.loads(sys.stdin.read())))


if __name__ == "__main__":
    main()
