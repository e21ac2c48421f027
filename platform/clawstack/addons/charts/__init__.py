"""One builder for each add-on that others wrote: settings to data.

Not here: clawstack's own services (`clawstack.addons.workloads`), Pulumi resources (`clawstack.addons.component`).
"""
