"""Who wants what and pays for it: pure rules, rows through repositories, jobs. Not here: making cells (cells), HTTP (web).

Where cells may run, and whatever else the floor above knows, reaches these nouns as data.
"""
