"""Backups of a cell's state: taken by OpenClaw itself, encrypted for the tenant, verified, restored.

Here belong the archive format, making a state fit for it, taking and restoring one, and filling a new process cell with one. Not here: when
backups are taken, kept or deleted (`services/business/backups`) and who may ask for one.

    backups/<slug>/<UTC time>.tar.gz.enc    the archive (format: `stream.py`)
    backups/<slug>/<UTC time>.json          its manifest; an archive without one is not a backup
"""
