"""The `server` substrate: a cell as one Hetzner server with an encrypted volume.

    settings ── what the installation is (project, location, types, pinned programs): the operator's
    spec ────── what the cell is: billing's and the customer's
    plan ────── both become server, volume, firewall and user data, by pure functions, as one value
    bundle ──── what the machine fetches, once it has proved its boot token: configuration, secrets, units, walls
    component ─ the plan becomes Pulumi resources
    agent ───── what runs on the machine: `bootstrap.sh` until there is Node, `agent.mjs` from then on

No secret of the cell is in the user data: anybody on the machine can read those from the metadata service. Not here:
the platform's side of the conversation (`services.cells.machines`) and waiting for a machine (`services.cells.substrates.server`).
"""

from typing import Final

NAME: Final = "server"
"""Of the substrate: stored with tenants and in labels."""
