"""The tasks of a set-up: what one is, which may run side by side, and what a person sees of them.

    planning ── pure: what a task is, and which of them may start now
    together ── carries them out, as `planning` allows
    progress ── one task towards a person, and its commands
    board ───── the terminal that all of them share

Not here: what any task does (`toolchain.steps`, `toolchain.cluster`), and which tasks a person asked for
(`toolchain.parts`).
"""
