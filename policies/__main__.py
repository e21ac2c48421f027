"""Assembles the policy pack. Constructing a PolicyPack starts its server and never returns: rules live beside this file."""

from pulumi_policy import EnforcementLevel, PolicyPack

from clawstack_policies.pack import POLICIES

PolicyPack(name="clawstack", policies=list(POLICIES), enforcement_level=EnforcementLevel.MANDATORY)
