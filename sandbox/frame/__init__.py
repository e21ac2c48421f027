"""What all stand-ins share, once: settings, ordered trouble, record of requests, state file, control, start of the server.

Nothing here knows of a stand-in; each one adds what is its own behaviour.
"""
