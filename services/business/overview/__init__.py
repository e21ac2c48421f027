"""What operators are told about the whole: tenants by state, where a cell runs, what a sign-up became.

Reads only. Not here: the endpoints that show it (`services.web.api.admin`), changing anything (each noun's `service`).
"""
