"""clawstack's own services in the cluster: api, worker, proxy and router, one Deployment each from one image.

    pods ─────── Deployments, Services, budgets
    network ──── who may talk to whom
    access ───── what the worker may do in the cluster
    scaling ──── when there are more of them
    entrance ─── how the world reaches them
    plan ─────── all of it

Not here: what the operator says about them (`clawstack.addons.base.workloads`); what cells look like (`tenants.namespace`);
the settings of the services (`clawstack.settings`).
"""
