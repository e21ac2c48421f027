"""The Pulumi provider plugin `pulumi-resource-clawstack`: resource types `clawstack:process:*`.

Here belongs what Pulumi must know of a resource: its inputs and their checks, which changes replace, what Read sees.
Not here: what is done to the machine (`tenants.process` and `tenants.backups`, which know nothing of Pulumi).

A plugin starts with every update: nothing here may import `pulumi` itself, pydantic or the spec.
"""
