"""Entry point of the plugin; the engine starts it and reads the port from its standard output."""

from __future__ import annotations

from clawstack.plugin_server.lean import skip_pulumi_package

GRACE_SECONDS = 20.0
"""After a cancel: long enough to report what was made, so that nothing is left out of the state."""


def main() -> None:
    """Serve until the engine goes away."""
    skip_pulumi_package()
    from clawstack.plugin_server.serving import serve  # after the line above, or it would import all of pulumi
    from tenants.process_provider.servicer import ClawstackProvider

    serve(ClawstackProvider(), grace=GRACE_SECONDS)


if __name__ == "__main__":
    main()
