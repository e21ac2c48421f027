"""Pulumi components of the platform stack. Not here: anything of a tenant (that is `tenants`)."""
