"""How often somebody may do something, counted once for all processes: rows of its own, one statement an attempt.

Not here: limits of what one process holds (streams, requests under way) and of hot paths (`services.traffic.llm_proxy.limits`).
"""
