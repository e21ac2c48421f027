"""The kinds of resources that this plugin knows; one module per family, and the registry of all.

Here belongs what a kind's properties are and what it asks of the API. How the engine is answered does not.
"""
