"""The command line: `clawstack`, and the demonstration beside it.

It calls the same services as the API; it decides nothing itself. Not here: SQL, and rules that a page or `/v1` would
need as well (`services.business`).
"""
