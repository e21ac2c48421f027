"""The operator's own stack: what `pulumi up` in this repository makes, from its configuration to its resources.

Not here: the plan of the cluster (`clawstack.cluster`), a resource of its own (`clawstack.components`, `clawstack.addons`).
"""
