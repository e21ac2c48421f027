"""What a kind of resource is made of: its properties described, its inputs judged, two wishes compared.

    shapes, words ── the words in which properties are described, and what their values must look like
    naming ───────── names here and at Hetzner, and ids of two parts
    checking ─────── judges inputs by those descriptions; asks nobody
    changes ──────── what differs between two wishes, or between a wish and what is live
    resource ─────── what all kinds have in common: a repeated create makes no second object

Not here: any one kind (`kinds` beside this package), HTTP (`cloud`), and how the engine is answered.
"""
