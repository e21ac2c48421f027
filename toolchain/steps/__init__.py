"""The parts of a set-up, one module each.

Every module has `ensure(around, console)`: gets the part if it is missing, does nothing if it is there, and raises
NeedsAttentionError with the remedy if it cannot. How a tool is found again belongs to `toolchain.finding`.
"""
