"""What people and programs open: pages (site) and `/v1` (api), and the dependencies that both ask for.

Endpoints take a request, ask a service, answer. Not here: decisions (business), bare ASGI of hot paths (traffic).
"""
