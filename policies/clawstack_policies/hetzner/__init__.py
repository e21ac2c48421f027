"""Rules about Hetzner resources, of the platform's clusters and of cells with a server of their own.

They look at plain property values by Pulumi's type tokens and import nothing of the hcloud SDK. Here belongs what must
hold whoever declares the resources. Not here: how the product declares them (`clawstack.components`, `tenants.server`).
"""
