"""Rules about Kubernetes objects of cells: what a pod may be, whom it may talk to, what a cell may hold.

They look at plain property values by Pulumi's type tokens and import nothing of the Kubernetes SDK. Here belongs what
must hold whoever writes the manifests. Not here: how the product writes them (`tenants.namespace`).
"""
