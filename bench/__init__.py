"""Benchmarks, run by hand: each measures ours beside the thing itself in one run and writes a table to bench/results.

Files that begin with an underscore are their parts (stand-ins, load, tables). Not here: tests; nothing asserts on the clock.
"""
