"""Offline `random` provider: passwords, strings, ids, pets, UUIDs, integers, bytes and shuffles kept in Pulumi state.

`kinds` says, kind by kind, what its inputs are and how a value is made; `provider` answers the engine alike for all.
"""
