"""Shapes: pure functions that build every Stripe object with all its fields, version 2026-10-28.endive.

The shapes are checked against the official library's own types in tests; nothing here stores or decides.
"""
