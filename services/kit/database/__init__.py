"""Connection, base class and migrations. Not here: anybody's rows (each noun has its own `tables`)."""
