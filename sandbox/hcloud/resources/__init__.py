"""What each kind of resource can do: one module per kind, handlers for its paths at the end of it.

A module takes a `Call`, judges it by the rules of the original, changes the project, and returns an `Answer`. Whatever
takes time is an action whose effect is data (see `effects.py` in `model`). Not here: HTTP, faults, limits and time.
"""
