"""``benchgen power``."""

from __future__ import annotations

from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line


def power(
    effect: Annotated[float, typer.Option(help="The rise in accuracy to be seen, as a share.")],
    accuracy: Annotated[float, typer.Option(help="The accuracy that it rises from.")] = 0.5,
    samples: Annotated[int, typer.Option("-n", help="Replies to each problem.")] = 1,
    spread: Annotated[
        float, typer.Option(help="1: a problem is always or never solved; 0: all are alike.")
    ] = 1.0,
    together: Annotated[
        float, typer.Option(help="Correlation between the models of what they solve.")
    ] = 0.0,
    alpha: Annotated[float, typer.Option(help="The rate of false alarms, two-sided.")] = 0.05,
    sure: Annotated[float, typer.Option("--power", help="How often it is to be seen.")] = 0.8,
    json: Json = False,
) -> None:
    """Tell how many problems a paired comparison needs to see a difference."""
    from evaluators.power import problems_needed

    needed = problems_needed(
        effect,
        accuracy,
        samples=samples,
        spread=spread,
        together=together,
        power=sure,
        alpha=alpha,
    )
    if json:
        print_json({"problems": needed})
    else:
        print_line(
            f"{needed} problems show a rise from {100 * accuracy:g} % by {100 * effect:g} points "
            f"in {100 * sure:g} of 100 comparisons"
        )
