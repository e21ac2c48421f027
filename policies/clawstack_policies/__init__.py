"""The rules, one module per subject, importable without starting a pack.

Here belong: what must hold for a resource or a stack. Not here: how the product builds resources (that is tested by
its own unit tests), and nothing heavy: the pack is started anew for every update, so imports are part of each one's cost.
"""
