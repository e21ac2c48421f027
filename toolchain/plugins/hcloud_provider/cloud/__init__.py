"""The way to the Hetzner Cloud API: calls with patience, waiting for actions, refusals as errors of this project.

    api ─────── one call: kept connections, pages, limits
    refusals ── what the API refuses, in this project's errors and the API's own words
    waiting ─── actions, all of them by one look
    session ─── one call of the engine at work: reads, changes and waits

Not here: what any kind of resource is (`model`, `kinds` beside this package), and how the engine is answered.
"""
