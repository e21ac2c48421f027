"""JSON for programs: `/v1`, webhooks, health, and what machines call. One module per noun; functions, no closures.

Not here: pages (`services.web.site`), decisions and SQL (`services.business`), the hot paths `/llm` and `/telegram`
(`services.traffic`).
"""
