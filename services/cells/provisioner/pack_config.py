"""What the policy pack is told of this installation: where the platform is, and what the operator says about rules."""

from __future__ import annotations

from typing import Any

from clawstack.settings import Settings
from tenants.substrates.registry import SUBSTRATES


def pack_config(settings: Settings) -> dict[str, dict[str, Any]]:
    """Configuration by the names of rules; what CLAWSTACK_POLICY_CONFIG says about a rule's option wins.

    Raises NeedsAttentionError when what a substrate is configured with cannot be read.
    """
    config: dict[str, dict[str, Any]] = {}
    told = [substrate.policy_options(settings) for substrate in SUBSTRATES.values()]
    for options_by_rule in (*told, settings.policy_config):
        for rule, options in options_by_rule.items():
            config[rule] = {**config.get(rule, {}), **options}
    return {rule: options for rule, options in config.items() if options}
