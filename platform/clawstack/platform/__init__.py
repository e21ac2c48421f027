"""The operator's own stack: what `pulumi up` in this repository makes, from its configuration to its resources."""
