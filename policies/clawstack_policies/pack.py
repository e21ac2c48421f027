"""Every rule of the pack, in the order in which they are reported."""

from __future__ import annotations

from typing import Final

from pulumi_policy import Policy

from clawstack_policies.hetzner.allowance import types_allowed
from clawstack_policies.hetzner.costs import cost_ceiling
from clawstack_policies.hetzner.firewalls import firewall_on_every_server, no_public_administration, no_public_balancer
from clawstack_policies.hetzner.nodes import backups_for_control_planes, private_network_for_nodes
from clawstack_policies.hetzner.protection import data_protected, volumes_closed
from clawstack_policies.hetzner.user_data import no_secret_in_user_data
from clawstack_policies.kubernetes.boundaries import (
    no_cluster_scope,
    no_exposed_service,
    no_foreign_namespace,
    pod_security_enforced,
)
from clawstack_policies.kubernetes.network import default_deny_present, egress_to_platform, ingress_from_platform
from clawstack_policies.kubernetes.pods import (
    images_pinned,
    no_api_token,
    pods_limited,
    pods_off_host,
    pods_restricted,
    pods_unprivileged,
)
from clawstack_policies.kubernetes.storage import cell_volumes_deleted
from clawstack_policies.labelling import labels_required
from clawstack_policies.plans import substrate_within_plan
from clawstack_policies.process import bind_loopback, limits_set, walled_in
from clawstack_policies.secrets import no_plaintext_secret

POLICIES: Final[tuple[Policy, ...]] = (
    no_plaintext_secret(),
    labels_required(),
    bind_loopback(),
    limits_set(),
    walled_in(),
    substrate_within_plan(),
    pods_restricted(),
    pods_off_host(),
    pods_unprivileged(),
    no_api_token(),
    pods_limited(),
    images_pinned(),
    pod_security_enforced(),
    default_deny_present(),
    egress_to_platform(),
    ingress_from_platform(),
    no_exposed_service(),
    no_cluster_scope(),
    no_foreign_namespace(),
    cell_volumes_deleted(),
    no_public_administration(),
    no_public_balancer(),
    firewall_on_every_server(),
    private_network_for_nodes(),
    backups_for_control_planes(),
    data_protected(),
    volumes_closed(),
    types_allowed(),
    no_secret_in_user_data(),
    cost_ceiling(),
)
