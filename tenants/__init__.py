"""One cell = one Pulumi stack: specification -> pure builders -> Pulumi resources.

Here belong: the cell specification, OpenClaw configuration, bundles, one module per substrate and the provider behind
the `process` substrate. Not here: HTTP, SQL, Stripe, jobs (those are `services`).
"""
