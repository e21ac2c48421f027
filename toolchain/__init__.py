"""What turns a fresh machine into a working one: Pulumi CLI and plugins, Node and OpenClaw, system packages.

Nothing here knows of tenants or services.
"""
