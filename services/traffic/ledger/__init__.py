"""The ledger of model use: posting, reserving and settling, each exactly once. Not here: HTTP and vendors (llm_proxy)."""
