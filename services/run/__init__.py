"""One process: factory, opening, runtime, roles. The only place where nouns are wired together (`parts`).

Not here: decisions, SQL, endpoints (the floors below), reading a command line (`services.cli`).
"""
