"""What turns a fresh machine into a working one: Pulumi CLI and plugins, Node and OpenClaw, system packages.

Here belongs how a tool is found, fetched, built and judged. Nothing here knows of tenants or services, and nothing
here starts a tool for the product: it says where the tool lies.

- `locate()` says where everything is, without building or downloading.
- `python -m toolchain setup` gets what is missing; `python -m toolchain doctor` says what is there.
- `image` makes the image of clawstack's own services, `publishing` pushes it to a registry, signed.
- `pulumi_cli/`, `node/`, `openclaw/` hold the pins that the builds verify against.
- `plugins/` are stand-ins for official Pulumi plugins, used only where those cannot be had.
"""
