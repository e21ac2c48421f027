"""Bases of values that pydantic reads and nobody changes afterwards."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class FrozenSection(BaseModel):
    """A part of a stack's configuration. Unknown keys are refused; what is refused may stand beside a secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        # In Pulumi's YAML keys are written `podSecurity`.
        alias_generator=to_camel,
        populate_by_name=True,
    )
