"""One Pulumi operation on one namespace cell, as a program: VERB FOLDER, with the cell's facts as JSON on stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from tenants.namespace.component import NamespaceBuilder
from tenants.program import cell_program
from tests.unit.namespace.builders import cell, make_settings
from toolchain.ground.policy_packs import policy_pack
from toolchain.locate import locate

PACK = Path(__file__).parents[3] / "policies"


def main() -> None:
    """Print what happened as one line of JSON."""
    verb, folder = sys.argv[1], Path(sys.argv[2])
    facts: dict[str, Any] = json.load(sys.stdin)
    spec = cell(**facts["cell"])
    work = folder / "work"
    work.mkdir(exist_ok=True)
    stack = auto.create_or_select_stack(
        stack_name=spec.slug,
        project_name="clawstack-cells",
        program=cell_program(
            spec, NamespaceBuilder(make_settings(kubeconfig=facts["kubeconfig"], **facts["settings"]))
        ),
        opts=auto.LocalWorkspaceOptions(work_dir=str(work)),
    )
    judged = {"policy_packs": [str(policy_pack(locate(), PACK))]} if verb in {"preview", "up"} else {}
    try:
        result = getattr(stack, verb)(**judged)
    except auto.CommandError as error:
        sys.stdout.write(json.dumps({"error": str(error), "changes": {}}))
        return
    summary = result.change_summary if verb == "preview" else result.summary.resource_changes or {}
    changes = {str(getattr(kind, "value", kind)): count for kind, count in summary.items()}
    sys.stdout.write(json.dumps({"error": "", "changes": changes}))


main()
