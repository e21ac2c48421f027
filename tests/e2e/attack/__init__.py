"""Attempts to get into a running platform, or to stop it: from a stranger's account and from two cells' own.

What is tried stands in `attempts.py`, which runs under the attacker's account with the standard library alone. Not here:
how each wall works (the tests of its noun), and attacks on a single mechanism.
"""
