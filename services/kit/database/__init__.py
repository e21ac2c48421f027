"""Connection, base class, the embedded server and prepared statements of hot paths.

Not here: anybody's rows and the migrations (`services.tables`), queries (each noun's `repository`).
"""
