"""The LLM proxy: tokens, allow-lists, the ledger of model use. A hot path: bare Starlette and aiohttp only."""
