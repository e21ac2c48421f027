"""`clawstack demo`: the whole product once, in front of your eyes."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clawstack.errors import ClawstackError
from services.cli.output import Output
from services.cli.session import INTERRUPTED, guarded
from tenants.substrates.registry import DEFAULT

if TYPE_CHECKING:
    from services.cli.demonstration.ground import Ground
    from services.cli.demonstration.story import Story
    from services.cli.demonstration.telling import Telling
    from services.cli.demonstration.world import World


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and print the addresses.")] = False,
    stop: Annotated[Path | None, typer.Option(help="End what an earlier `--keep` left running in this folder.")] = None,
    substrate: Annotated[
        str, typer.Option(help="Where the cell runs: process, or namespace on a cluster that is started here.")
    ] = DEFAULT,
) -> None:
    """Show everything once: a parent signs up, pays, chats with a real OpenClaw gateway and cancels.

    Stand-ins take the place of Stripe, Telegram and the model vendor; everything else is real. Every step is observed
    and timed; exit code 0 only if all of them were seen to happen.
    """
    from services.cli.demonstration.ground import prepared  # late: keeps `--help` fast
    from services.cli.demonstration.world import end_kept

    output = Output()
    if stop is not None:
        guarded(output, lambda: end_kept(stop))
        output.line(f"Ended what ran in {stop}, and removed it.")
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended in any case
    try:
        with prepared(substrate, console=output.console, keep=keep) as ground:
            finished = _told(output, ground, keep=keep)
    except ClawstackError as error:
        output.error(error)
        finished = False
    except KeyboardInterrupt:
        output.errors.print("interrupted")
        finished = False
    if not finished:
        raise typer.Exit(1)


def _told(output: Output, ground: Ground, *, keep: bool) -> bool:
    """Tell the story; False when it did not end well, which has been said then.

    What there is stays when it is to be kept, after a failure too: that is when one wants to look at it. Who
    interrupts wants it gone.
    """
    from services.cli.demonstration.story import Story  # late, as above
    from services.cli.demonstration.telling import Telling

    world, telling = ground.world, Telling(console=output.console)
    story = Story(world, telling, ground.evidence)
    finished, kept = False, keep
    try:
        guarded(output, lambda: _tell(story, telling, keep=keep))
        finished = True
    except typer.Exit as ended:
        kept = keep and ended.exit_code != INTERRUPTED
    finally:
        if kept:
            world.remember()
            _print_addresses(output, world, story)
        else:
            world.close(remove=finished)
            if not finished:
                output.errors.print(f"Logs are in {world.folder}.")
    return finished


def _tell(story: Story, telling: Telling, *, keep: bool) -> None:
    story.until_live()
    if not keep:
        story.ends()
    telling.summary()


def _print_addresses(output: Output, world: World, story: Story) -> None:
    output.line("")
    output.line("[bold]Everything is left running.[/bold] Click:")
    if world.addresses is not None:
        output.line(f"  sign up yourself      {world.addresses.platform}/")
        if story.signup_id:
            output.line(f"  Sam's welcome page    {world.addresses.platform}/welcome/{story.signup_id}")
        output.line(f"  chat as Sam           {world.addresses.telegram_link_base}/clawstack_demo_bot?chat=4711")
        output.line(f"  the stand-ins         {world.addresses.sandbox}/")
    output.line(f"  logs and data         {world.folder}")
    output.line(f"End it with: {sys.argv[0]} demo --stop {world.folder}")
