"""The parts of a set-up, one module each.

Every module has `ensure(around, board)` (or one for each of its tasks): gets the part if it is missing, does nothing if
it is there, and raises NeedsAttentionError with the remedy if it cannot; and `TASKS`, which say to the planner what must
be there first and what it shares with others. They may run at the same time in threads of their own. How a tool is found
again belongs to `toolchain.ground.finding`; what the test cluster is made of lies in `toolchain.cluster`.
"""
