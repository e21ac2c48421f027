"""The platform stack: `pulumi preview` and `pulumi up` by an operator (docs/operators.md)."""

from clawstack.platform.stack import deploy

deploy()
