"""`clawstack:process:Account`: an unprivileged account of this machine for one cell."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from clawstack.plugin_server.values import reveal
from tenants.process import accounts, wall
from tenants.process_provider.handler import Handler, InputProblem, Properties, ReadResource, Resource, Work

_NAME: Final = re.compile(r"claw-[a-z0-9-]{1,27}")


class AccountHandler(Handler):
    """The id is the account's name."""

    inputs: frozenset[str] = frozenset({"name", "slug", "root", "labels"})
    secret_inputs: frozenset[str] = frozenset()
    replacing: frozenset[str] = frozenset({"name", "slug", "root"})
    computed: frozenset[str] = frozenset({"uid", "gid"})

    @override
    def check(self, inputs: Mapping[str, Any]) -> list[InputProblem]:
        """The name must be one of ours; making accounts takes root."""
        problems = []
        if (name := inputs.get("name")) is not None and not _NAME.fullmatch(str(name)):
            problems.append(
                InputProblem(property="name", reason=f"{str(name)[:40]!r} is not of the form claw-<letters>")
            )
        if os.geteuid() != 0:
            problems.append(
                InputProblem(
                    property="name", reason="only root makes accounts; leave the account out of the cell's spec"
                )
            )
        return problems

    @override
    def drift(self, resource_id: str, inputs: Mapping[str, Any]) -> frozenset[str]:
        """Gone is the only way an account drifts; an update makes it again."""
        return frozenset() if accounts.find(resource_id) else frozenset({"name"})

    @override
    def create(self, inputs: Properties, work: Work) -> Resource:
        """Make or adopt it; it reaches nothing until its gateway is started."""
        plain = reveal(inputs)
        root = Path(plain["root"])
        ids = accounts.ensure(plain["name"], plain["slug"], root)
        wall.close(root.parent, ids.uid)
        return Resource(id=plain["name"], properties={**inputs, "uid": ids.uid, "gid": ids.gid})

    @override
    def read(self, resource_id: str, inputs: Properties, properties: Properties) -> ReadResource | None:
        """Look it up."""
        ids = accounts.find(resource_id)
        if ids is None:
            return None
        return ReadResource(id=resource_id, inputs=inputs, properties={**properties, "uid": ids.uid, "gid": ids.gid})

    @override
    def update(self, resource: Resource, new: Properties, work: Work) -> Resource:
        """Labels live in the state only; a lost account is made again."""
        return self.create(new, work)

    @override
    def delete(self, resource: Resource, work: Work) -> None:
        """End its processes, remove it, then its wall."""
        plain = reveal(resource.properties)
        accounts.remove(resource.id, plain["slug"])
        wall.remove(Path(plain["root"]).parent, int(plain["uid"]))
