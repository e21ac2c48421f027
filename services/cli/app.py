"""`clawstack`: the command. Sub-commands live in modules of their noun."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli import (
    admin,
    backups,
    database,
    demo,
    doctor,
    logs,
    operations,
    sandbox,
    serve,
    smoke,
    tenants,
    tokens,
)

app = typer.Typer(
    name="clawstack",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help=(
        "Sells and runs hosted OpenClaw assistants; every tenant is one Pulumi stack.\n\n"
        "New here? `clawstack doctor` tells what this machine lacks, `make demo` shows everything once, "
        "`clawstack serve` runs the platform. Settings are environment variables `CLAWSTACK_*` (docs/configuration.md)."
    ),
)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.command(
    "sandbox",
    add_help_option=False,  # its own --help tells more
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(sandbox.sandbox)
app.command("demo")(demo.demo)
app.command("smoke")(smoke.smoke)
tenants.app.command("logs")(logs.logs)
app.add_typer(tenants.app, name="tenants")
app.add_typer(operations.app, name="operations")
app.add_typer(database.app, name="db")
app.add_typer(backups.app, name="backup")
app.add_typer(tokens.app, name="token")
app.add_typer(admin.app, name="admin")


@app.callback(invoke_without_command=True)
def root(*, version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Print the version when asked."""
    if version:
        from services.run.factory import VERSION  # late: keeps `--help` fast

        typer.echo(f"clawstack {VERSION}")
        raise typer.Exit


def main() -> None:
    """Entry point of the `clawstack` executable."""
    app()
