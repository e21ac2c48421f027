"""Plumbing for Pulumi plugins written in Python: the gRPC server around a servicer, and Pulumi's values.

    from clawstack.plugin_server.lean import skip_pulumi_package   # first, in a plugin's own process only
    from clawstack.plugin_server.provider import PlainProvider     # defaults for what a simple provider need not decide
    from clawstack.plugin_server.serving import serve              # announce the port, serve, go quietly
    from clawstack.plugin_server.values import UNKNOWN, Secret, to_python, to_struct

Here belongs what every plugin needs, whichever resources it manages. Not here: what a resource means (its inputs,
its differences, what is created): that is the plugin's own. Nothing here may import `pulumi` itself: a plugin starts for
every update, and that import is most of its start.
"""
