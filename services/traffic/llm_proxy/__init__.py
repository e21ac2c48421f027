"""The LLM proxy: tokens, allow-lists, the ledger of model use. A hot path: raw ASGI and aiohttp only.

A request's way: `endpoints` (who, how much may it send) -> `request` (what does it ask) -> `exchange` (reserve, forward,
settle) -> `services.traffic.ledger` (money) and `upstream` (the vendor, with the real key).
Not here: prices and plans (clawstack.plans), what an overage costs the customer (billing).
"""
