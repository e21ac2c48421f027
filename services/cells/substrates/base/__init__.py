"""What every substrate's live side is built on: the doors of a driver, and what a substrate says of itself.

    protocol ── what a driver can do with a cell, and the facts that it answers with
    live ────── one half of the registry: a substrate's name, and how its driver is made

Not here: any one substrate (`namespace`, `process`, `server` beside this package), and who knows them all
(`services.cells.substrates.registry`).
"""
