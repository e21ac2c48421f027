"""What every HTTP answer of the platform has in common: error shape, body limit, security headers.

Not here: endpoints (`services.web`). Pure ASGI only: one BaseHTTPMiddleware halves the throughput of everything behind it (measured).
"""
