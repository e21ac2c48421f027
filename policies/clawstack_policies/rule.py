"""The shape of a rule: name, sentence, severity, remedy, exemptions.

A rule is named `<kind>-<verb>-<what>`. Its check yields one sentence per violation; the remedy is added here, so that
whoever reads the failed operation knows what to do. Exemptions are configuration of the pack (`--policy-pack-config`),
name a resource by the end of its URN and carry a reason:

    {"<rule>": {"exemptions": [{"resource": "cell-anna-x2", "reason": "migration until 2026-12-01"}]}}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    ResourceRemediation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

Check = Callable[[ResourceValidationArgs], Iterable[str]]
StackCheck = Callable[[StackValidationArgs], Iterable[tuple[str, str]]]
"""Yields the URN that is to blame and a sentence."""

EXEMPTIONS: Final = {
    "exemptions": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["resource", "reason"],
            "additionalProperties": False,
            "properties": {
                "resource": {"type": "string", "minLength": 3, "description": "The end of the resource's URN."},
                "reason": {"type": "string", "minLength": 10, "description": "Why, until when, and who agreed."},
            },
        },
    }
}


def rule(
    *,
    name: str,
    sentence: str,
    remedy: str,
    severity: Severity,
    check: Check,
    watch: ResourceRemediation | None = None,
    options: Mapping[str, Any] | None = None,
) -> ResourceValidationPolicy:
    """A mandatory rule. `watch` sees the resource first, with secrets still marked (see `secrets`).

    `options`: JSON schema of what else the pack's configuration may say about this rule.
    """

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if _exempt(args):
            return
        for violation in check(args):
            report(f"{violation} {remedy}", None)

    return ResourceValidationPolicy(
        name=name,
        description=sentence,
        validate=validate,
        remediate=watch,
        # A rule that watches must be allowed to remediate, or it is never shown the resource; a violation that stays
        # is then reported as mandatory (pulumi_policy, `_PolicyAnalyzerServicer.Analyze`).
        enforcement_level=EnforcementLevel.REMEDIATE if watch else EnforcementLevel.MANDATORY,
        severity=severity,
        remediation_steps=remedy,
        config_schema=PolicyConfigSchema(properties={**EXEMPTIONS, **(options or {})}),
    )


def stack_rule(
    *,
    name: str,
    sentence: str,
    remedy: str,
    severity: Severity,
    check: StackCheck,
    options: Mapping[str, Any] | None = None,
) -> StackValidationPolicy:
    """A mandatory rule about what must stand beside each other in one stack."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for urn, violation in check(args):
            if not _names(args.get_config(), urn):
                report(f"{violation} {remedy}", urn)

    return StackValidationPolicy(
        name=name,
        description=sentence,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        severity=severity,
        remediation_steps=remedy,
        config_schema=PolicyConfigSchema(properties={**EXEMPTIONS, **(options or {})}),
    )


def _exempt(args: ResourceValidationArgs) -> bool:
    return _names(args.get_config(), args.urn)


def _names(config: Mapping[str, Any], urn: str) -> bool:
    exemptions: list[dict[str, Any]] = list(config.get("exemptions") or [])
    return any(urn.endswith(str(exemption["resource"])) for exemption in exemptions)
