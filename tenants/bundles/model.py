"""The shape of a bundle: what `bundle.yaml` may say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenants.spec import BundleRef


class QuestionKind(StrEnum):
    """How an answer is judged and which form field shows it."""

    TEXT = "text"
    DATE = "date"
    """ISO 8601 calendar date, not in the future."""
    EMAIL = "email"
    CHOICE = "choice"


class ToolProfile(StrEnum):
    """OpenClaw's own profile names (`gateway/config-tools/tool-policy.md`)."""

    MINIMAL = "minimal"
    MESSAGING = "messaging"
    CODING = "coding"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Choice(_Frozen):
    """One allowed answer of a choice question."""

    value: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
    label: str


class Question(_Frozen):
    """One thing that sign-up asks."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    label: str
    kind: QuestionKind
    required: bool = True
    help: str = ""
    choices: tuple[Choice, ...] = ()
    max_length: Annotated[int, Field(ge=1, le=300)] = 60
    """Characters; for text. Long enough for a name, too short for a speech to the model."""
    years_back: Annotated[int, Field(ge=1, le=130)] = 120
    """For dates: how long ago at most."""

    @model_validator(mode="after")
    def _choices_fit_the_kind(self) -> Self:
        if (self.kind is QuestionKind.CHOICE) != bool(self.choices):
            raise ValueError(f"question {self.key}: choices belong to the kind 'choice', and it needs them")
        return self


class Bundle(_Frozen):
    """One version of one bundle, complete."""

    name: str
    version: str
    title: str
    description: str
    questions: tuple[Question, ...] = ()
    tool_profile: ToolProfile = ToolProfile.MESSAGING
    skills: tuple[str, ...] = ()
    """Allowed skills of OpenClaw; none by default."""
    files: Mapping[str, str]
    """Workspace file name to template (`{{key}}`)."""

    @property
    def ref(self) -> BundleRef:
        """What a cell's spec and the database keep."""
        return BundleRef(name=self.name, version=self.version)

    @model_validator(mode="after")
    def _keys_are_unique(self) -> Self:
        keys = [question.key for question in self.questions]
        if len(set(keys)) != len(keys):
            raise ValueError(f"bundle {self.name} {self.version} asks one question twice: {keys}")
        return self
