"""Who may call `/v1`: tokens, their scopes, and the principal that a token stands for.

Not here: reading a token out of a request (`services.web.dependencies`), cells' own tokens (`services.traffic`).
"""
