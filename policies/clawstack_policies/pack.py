"""Every rule of the pack, in the order in which they are reported."""

from __future__ import annotations

from typing import Final

from pulumi_policy import Policy

from clawstack_policies.labelling import labels_required
from clawstack_policies.plans import substrate_within_plan
from clawstack_policies.process import bind_loopback, limits_set
from clawstack_policies.secrets import no_plaintext_secret

POLICIES: Final[tuple[Policy, ...]] = (
    no_plaintext_secret(),
    labels_required(),
    bind_loopback(),
    limits_set(),
    substrate_within_plan(),
)
