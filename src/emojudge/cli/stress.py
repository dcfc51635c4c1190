"""`emojudge stress`: correctness, fairness and robustness tests of a bundle."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from emojudge.cli.choices import Report
from emojudge.cli.messages import say, warnings_said
from emojudge.cli.progress import shown


def stress(
    bundle: Annotated[
        str | None,
        typer.Argument(
            metavar="[BUNDLE]", help="A bundle's folder, or hf://ORG/NAME; default: the embedded one."
        ),
    ] = None,
    corpora: Annotated[
        list[str] | None,
        typer.Option(
            "--corpus", metavar="NAME=DIR", help="A labelled corpus, such as emodb=DIR; repeatable."
        ),
    ] = None,
    recordings: Annotated[int, typer.Option(min=50, help="Of each corpus at most.")] = 1500,
    changed: Annotated[
        int,
        typer.Option(
            min=20, help="Of them, on which each of the changes is tried; most of the time goes there."
        ),
    ] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep predictions there; an interrupted run goes on with them."),
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write the result into the bundle's model card, README.md.")
    ] = False,
    threads: Annotated[int, typer.Option(min=0, help="Of the models; 0: one per core.")] = 0,
    layout: Annotated[
        Report | None,
        typer.Option("--format", "-f", help="Default: table on a terminal, else json.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of stdout."),
    ] = None,
) -> None:
    """Test a bundle as published: is it right, fair and robust? Needs the extra 'stress'.

    Sentences of positive and negative words are spoken by espeak-ng, where it is installed. Exit code 0
    whatever failed: these are findings, not faults of the run.
    """
    from emojudge.bundle.format import HUB, MANIFEST, Bundle, file_hash
    from emojudge.cli.evaluate_output import write_tables
    from emojudge.corpora import load_corpus
    from emojudge.errors import EmojudgeError
    from emojudge.evaluation.stress.run import Corpus, Settings
    from emojudge.evaluation.stress.run import stress as run
    from emojudge.evaluation.stress.tables import card_section, stress_tables, with_section
    from emojudge.files import write_whole
    from emojudge.recognizer import Recognizer

    if not corpora:
        raise EmojudgeError("stress", found="no corpus", expected="--corpus NAME=DIR, such as ravdess=DIR")
    if card and bundle and bundle.startswith(HUB):
        raise EmojudgeError(
            "--card",
            found=bundle,
            expected="a bundle's folder",
            advice="What was fetched stays as it is: leave out --card and keep the result with -o.",
        )
    named = []
    for text in corpora:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise EmojudgeError("--corpus", found=repr(text), expected="NAME=DIR, such as ravdess=DIR")
        with warnings_said():
            label = Path(folder).stem if name == "table" else name
            named.append(Corpus(label, load_corpus(name, Path(folder))))
    opened = Bundle.open(bundle)
    recognizer = Recognizer(opened, threads=threads)
    with shown("stress") as progress:
        found = run(
            recognizer.predict,
            opened.manifest.name,
            named,
            Settings(recordings, changed, seed),
            keep=keep,
            key=file_hash(opened.folder / MANIFEST),
            progress=progress,
        ).as_dict()
    write_tables(
        stress_tables(found),
        [],
        found,
        layout or (Report.TABLE if sys.stdout.isatty() or output else Report.JSON),
        output,
    )
    say(f"{found['passed']} of {found['tests']} tests passed, {len(found['skipped'])} could not be run")
    if card:
        readme = opened.folder / "README.md"
        before = (
            readme.read_text(encoding="utf-8") if readme.is_file() else f"# Model card: {found['bundle']}\n"
        )
        section = card_section(found, opened.manifest.trained_on)
        write_whole(readme, with_section(before, section))
        say(f"wrote the result into {readme}")
