"""The register of tenants' backups: uploading, fetching, opening and deleting what cells left.

Not here: how a cell is backed up and restored (`tenants.backups`), when (`services.cells.provisioner`).
"""
