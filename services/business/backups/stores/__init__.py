"""Where archives are kept for good: a folder, or an S3-compatible store, behind one protocol.

Here belong moving bytes to and from a store and naming them. Not here: which archive is moved when
(`services.business.backups.uploading`), and what is in one (`tenants.backups`): a store sees sealed files only.
"""
