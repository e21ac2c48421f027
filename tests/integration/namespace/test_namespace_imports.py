"""What a process pays that never builds a namespace cell: nothing."""

from __future__ import annotations

import subprocess
import sys

from tests.waiting import patient


def test_importing_the_cell_program_does_not_load_the_kubernetes_sdk() -> None:
    program = (
        "import sys, tenants.program, tenants.namespace.plan, tenants.substrates.registry;"
        "print([name for name in sys.modules if name.startswith('pulumi_kubernetes')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=patient(60), check=True
    )
    assert answer.stdout.strip() == "[]"
