"""Who may call /v1: tokens, scopes, and the dependency that checks them."""
