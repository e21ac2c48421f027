"""One Pulumi operation on one cell, as a program: VERB FOLDER SPEC ANSWER."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from tenants.process.component import ProcessBuilder
from tenants.program import cell_program
from tenants.spec import CellSpec


def main() -> None:
    """Write the answer; exit code 0 also when the operation itself failed."""
    verb, folder, file, answer = sys.argv[1:]
    told: list[str] = []
    result = _run(_stack(Path(folder), CellSpec.model_validate_json(Path(file).read_text())), verb, told)
    Path(answer).write_text(json.dumps({**result, "told": told}))


def _stack(folder: Path, spec: CellSpec) -> auto.Stack:
    work = folder / "pulumi" / "work" / spec.slug
    for path in (work, folder / "pulumi" / "state", folder / "pulumi" / "home"):
        path.mkdir(parents=True, exist_ok=True)
    return auto.create_or_select_stack(
        stack_name=spec.slug,
        project_name="clawstack-cells",
        program=cell_program(spec, ProcessBuilder()),
        opts=auto.LocalWorkspaceOptions(work_dir=str(work)),
    )


def _run(stack: auto.Stack, verb: str, told: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"error": "", "outputs": {}, "changes": {}}
    if verb == "cancel":  # what a killed engine leaves is its lock
        stack.cancel()
        return answer
    try:
        result = getattr(stack, verb)(on_output=told.append, on_event=lambda event: told.append(_deep(event)))
    except auto.CommandError as error:
        told.append(str(error))
        return {**answer, "error": str(error)}
    if verb == "preview":
        answer["changes"] = {str(getattr(k, "value", k)): v for k, v in result.change_summary.items()}
    else:
        answer["changes"] = {str(getattr(k, "value", k)): v for k, v in (result.summary.resource_changes or {}).items()}
        answer["outputs"] = {name: output.value for name, output in getattr(result, "outputs", {}).items()}
    return answer


def _deep(value: Any, depth: int = 12) -> str:
    if depth == 0 or value is None or isinstance(value, (str, int, float, bool)):
        return str(value)
    if isinstance(value, dict):
        return " ".join(f"{key} {_deep(item, depth - 1)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(_deep(item, depth - 1) for item in value)
    return _deep(getattr(value, "__dict__", {}), depth - 1)


if __name__ == "__main__":
    main()
