"""The world that the stand-in shows: projects with their rows and actions, the clock, limits, refusals, ordered trouble.

Not here: what one kind of resource can do (`resources`), how a request is read (`requests`), and HTTP.
"""
