"""One process: factory, opening, runtime, roles. The only place where nouns are wired together (`parts`)."""
