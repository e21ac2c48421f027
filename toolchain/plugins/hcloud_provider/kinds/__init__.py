"""The kinds of resources that this plugin knows; one module per family.

Here belongs what a kind's properties are and what it asks of the API. Not here: what all kinds share (`model` beside this
package), who knows all of them (`registry`), and how the engine is answered.
"""
