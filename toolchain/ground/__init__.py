"""What every part of the toolchain stands on: this machine, the versions to have, and where they lie.

    pins ─────────── the versions this project runs on, and the lock files that hold them
    paths ────────── the cache, and the folder in it of one version of one part
    surroundings ─── what the machine and the person's settings give, read once
    finding ──────── finds tools that are already there
    plugin_choice ── which executable the engine gets for each plugin
    policy_packs ─── the form in which a policy pack is cheapest for the engine
    oci ──────────── the JSON of container images
    building ─────── makes a folder in the cache so that nobody ever sees half of one

Not here: how a part is got (`toolchain.steps`), and in which order parts are got (`toolchain.tasks`).
"""
