"""The register of tenants' backups. Not here: how a cell is backed up (tenants)."""
