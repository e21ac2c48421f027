"""JSON for programs: `/v1`, webhooks, health, and what machines call. One module per noun; functions, no closures."""
