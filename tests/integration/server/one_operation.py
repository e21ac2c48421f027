"""One Pulumi operation on one server cell, as a program: VERB FOLDER, with specification and settings as JSON on stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from tenants.program import cell_program
from tenants.server.component import ServerBuilder
from tenants.server.settings import ServerSettings
from tenants.spec import CellSpec
from toolchain.ground.policy_packs import policy_pack
from toolchain.locate import locate

PACK = Path(__file__).parents[3] / "policies"


def main() -> None:
    """Print what happened as one line of JSON."""
    verb, folder = sys.argv[1], Path(sys.argv[2])
    facts: dict[str, Any] = json.load(sys.stdin)
    spec, settings = CellSpec.model_validate(facts["spec"]), ServerSettings.model_validate(facts["settings"])
    work = folder / "work"
    work.mkdir(exist_ok=True)
    stack = auto.create_or_select_stack(
        stack_name=spec.slug,
        project_name="clawstack-cells",
        program=cell_program(spec, ServerBuilder(settings)),
        opts=auto.LocalWorkspaceOptions(work_dir=str(work)),
    )
    judged = {"policy_packs": [str(policy_pack(locate(), PACK))]} if verb in {"preview", "up"} else {}
    try:
        result = getattr(stack, verb)(**judged)
    except auto.CommandError as error:
        sys.stdout.write(json.dumps({"error": str(error), "changes": {}, "state": ""}))
        return
    summary = result.change_summary if verb == "preview" else result.summary.resource_changes or {}
    changes = {str(getattr(kind, "value", kind)): count for kind, count in summary.items()}
    sys.stdout.write(json.dumps({"error": "", "changes": changes}))


main()
