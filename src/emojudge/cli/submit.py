"""`emojudge submit`: predictions in, a file for the challenge's leaderboard out."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from emojudge.cli.messages import count, say


def submit(
    task: Annotated[
        int,
        typer.Option(min=1, max=2, help="1 emotions, 2 attributes.", show_default=False),
    ],
    predictions: Annotated[
        Path | None,
        typer.Argument(help="A table as `emojudge predict` or `judge` writes it.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The submission.", show_default=False),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The test set: a name a line, a CSV file with FileName, or Partitions.txt. "
            "Default: MSP-PODCAST_test3_0001.wav to _3200.wav.",
        ),
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check this submission instead of making one.")
    ] = None,
    recogniser: Annotated[
        bool, typer.Option("--recogniser", help="Leave a judge's verdicts out of account.")
    ] = False,
) -> None:
    """Write predictions as a submission to the Interspeech 2025 challenge, or check one.

    Exactly the files of the test set, in their order; letters A S H U F D C N, or attributes clamped to 1..7.
    """
    from emojudge.challenge.submission import (
        check_submission,
        make_submission,
        names_of_test3,
        read_names,
    )

    if (check is None) == (predictions is None) or (predictions is None) != (output is None):
        raise typer.BadParameter("name PREDICTIONS and --output, or --check FILE alone")
    number: Literal[1, 2] = 1 if task == 1 else 2
    expected = read_names(names) if names else names_of_test3()
    if check is not None:
        check_submission(check, number, expected)
        say(f"{check}: a valid submission to task {task}, {count(len(expected), 'file')}")
        return
    assert predictions is not None
    assert output is not None
    made = make_submission(predictions, number, expected, verdicts=not recogniser)
    made.write(output)
    check_submission(output, number, expected)
    say(f"wrote {output}: task {task}, {count(len(made.rows), 'file')}")
    if made.judged:
        say(f"{count(made.judged, 'row')} as a judge left them; without it: --recogniser")
    if made.clamped:
        say(f"{count(made.clamped, 'value')} outside 1..7 clamped")
    if made.derived:
        say(f"{count(made.derived, 'row')} with attributes derived from the emotions' scores, not measured")
