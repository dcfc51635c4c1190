"""`emojudge judge`: a language model over anyone's predictions; its tuning, its ledger, its models."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli import judge_options as o
from emojudge.cli.choices import Format, Summary
from emojudge.cli.judge_rows import WRITERS, check_scores, compare, evidence_of_rows
from emojudge.cli.judged import plan_lines, summary
from emojudge.cli.messages import count, say
from emojudge.cli.progress import bar
from emojudge.cli.verbs import RunByDefault

if TYPE_CHECKING:
    from emojudge.evaluation.predictions import Row
    from emojudge.records import Verdict

    Judged = Iterator[tuple[Row, Verdict | None]]


app = typer.Typer(cls=RunByDefault, no_args_is_help=True)

Table = Annotated[
    Path,
    typer.Argument(
        metavar="PREDICTIONS",
        help="A .csv, .tsv, .jsonl or .parquet of any recogniser, or a folder of them: id, emotion, "
        "score_EMOTION, transcript, file …",
        show_default=False,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns", metavar="OURS=THEIRS", help="The table's name of a column, such as emotion=pred."
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE", help="What annotators heard: id, emotion, valence, arousal, dominance, speaker."
    ),
]
NoAudio = Annotated[
    bool, typer.Option("--no-audio", help="Do not describe the voices, though recordings are named.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write a .json, .jsonl, .csv or .txt file."),
]


@app.command("run")
def run(
    predictions: Table,
    judge: o.Name = None,
    settings: o.SettingsFile = None,
    prompt: o.Prompts = None,
    threshold: o.Threshold = None,
    gate: o.GateOption = None,
    confidence: o.ConfidenceOption = None,
    samples: o.Samples = None,
    examples: o.ExamplesFile = None,
    columns: Columns = None,
    no_audio: NoAudio = False,
    labels: Labels = None,
    ledger: o.LedgerPath = None,
    max_cost: o.MaxCost = None,
    price: o.PriceOption = None,
    concurrency: o.Concurrency = None,
    dry_run: o.DryRun = False,
    redact: o.Redact = False,
    batch: o.Batch = False,
    layout: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="Default: table on a terminal, else jsonl.", show_default=False),
    ] = None,
    output: Output = None,
) -> None:
    """Refine predictions: each row as it was, and what the judge made of it.

    Exit codes: 0 all done, 1 some rows have no prediction (they are passed on), 2 nothing could begin.
    """
    from emojudge.cli.output import choose_format, opened
    from emojudge.evaluation.predictions import Predictions

    chosen = choose_format(layout, output)
    table = Predictions(predictions, mapping(columns))
    asked = o.Asked(
        *(judge, settings, prompt, threshold, gate, confidence, samples, examples, ledger),
        *(max_cost, dry_run, redact, batch, price, concurrency),
    )
    asking = o.make_judge(asked)
    rows: Iterable[Row] = table
    if any(row.utterance and row.utterance.recording for row in table):
        rows = list(table)  # earlier turns may be anywhere in it
    check_scores(table, str(asking.settings.gate.kind))
    evidence = evidence_of_rows(rows, not no_audio)
    if dry_run:
        known = (told for row in rows if (told := evidence(row)) is not None)
        for line in plan_lines(asking.plan(known), asking):
            typer.echo(line)
        return
    seen: list[tuple[str, Verdict]] = []
    counts: Counter[str] = Counter()
    with (
        bar("judging", None, sys.stderr.isatty() and output is not None) as advance,
        opened(output, chosen) as file,
    ):

        def noted() -> "Judged":
            for row, verdict in asking.alongside(rows, evidence):
                advance(1)
                counts[verdict.status if verdict else "without a prediction"] += 1
                if verdict and labels is not None:
                    seen.append((row.id, verdict))
                yield row, verdict

        WRITERS[chosen](noted(), file)
    say(summary(counts, asking))
    if labels is not None:
        compare(seen, labels)
    if failed := counts["without a prediction"]:
        say(f"{count(failed, 'row')} without a prediction")
        raise typer.Exit(1)


def mapping(columns: list[str] | None) -> dict[str, str]:
    """`ours=theirs` pairs as a mapping."""
    from emojudge.errors import JudgeError

    pairs = [column.partition("=") for column in columns or []]
    for ours, equals, theirs in pairs:
        if not (ours and equals and theirs):
            raise JudgeError(
                "--columns", found=f"{ours}{equals}{theirs}", expected="OURS=THEIRS, such as emotion=pred"
            )
    return {ours.strip(): theirs for ours, _, theirs in pairs}


# ------------------------------------------------------------------------------------------------- the others


@app.command("tune")
def tune(
    predictions: Table,
    labels: Annotated[
        Path,
        typer.Option(
            metavar="TABLE", help="What annotators heard; may be the same table.", show_default=False
        ),
    ],
    judge: Annotated[
        list[str],
        typer.Option(
            "--judge",
            "-j",
            metavar="NAME",
            help="A language model; several are compared.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The settings that come out.")
    ] = Path("judge.json"),
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt", metavar="NAME|FILE", help="Wordings to compare; by default the three of the task."
        ),
    ] = None,
    task: Annotated[str, typer.Option(metavar="emotion|attributes")] = "emotion",
    confidence: Annotated[
        list[o.Confidence] | None, typer.Option("--confidence", help="Sources of confidence to compare.")
    ] = None,
    samples: o.Samples = None,
    gate: Annotated[
        list[str] | None, typer.Option("--gate", metavar="GATE", help="Gates to compare; by default seven.")
    ] = None,
    examples: o.ExamplesFile = None,
    columns: Columns = None,
    no_audio: NoAudio = False,
    folds: Annotated[int, typer.Option(min=2, max=50)] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    ledger: o.LedgerPath = None,
    max_cost: o.MaxCost = None,
    price: o.PriceOption = None,
    concurrency: o.Concurrency = None,
    dry_run: o.DryRun = False,
    redact: o.Redact = False,
    batch: o.Batch = False,
    layout: Annotated[
        Summary, typer.Option("--format", "-f", help="table: in words; json: all figures.")
    ] = Summary.TABLE,
) -> None:
    """Tune a judge on labelled predictions, and say whether it helps; where it does not, it is switched off.

    Everything is asked about once for each model and prompt, whatever the gate. Needs the extra 'train'.
    """
    from emojudge.cli.judge_tuning import labelled, make_judges
    from emojudge.evaluation.labels import read_labels
    from emojudge.evaluation.predictions import Predictions
    from emojudge.judge.gate import Gate
    from emojudge.judge.tune import GATES
    from emojudge.judge.tuning import tune_judges

    gates = [Gate.parse(text) for text in gate] if gate else GATES
    rows = list(Predictions(predictions, mapping(columns)))
    items = labelled(rows, read_labels(labels), evidence_of_rows(rows, not no_audio))
    asked = o.Asked(
        *(None, None, None, None, None, None, samples, examples, ledger),
        *(max_cost, dry_run, redact, batch, price, concurrency),
    )
    judges = make_judges(asked, judge, prompt, confidence, task)
    if dry_run:
        for asking in judges:
            for line in plan_lines(asking.plan(item.evidence for item in items), asking):
                typer.echo(line)
        return
    with bar("asking", len(items) * len(judges), sys.stderr.isatty()) as advance:
        report = tune_judges(items, judges, gates=gates, folds=folds, seed=seed, progress=advance)
    report.settings.write(output)
    if layout is Summary.JSON:
        typer.echo(json.dumps(report.settings.figures))
    else:
        for line in report.lines:
            typer.echo(line)
    say(f"settings are in {output}: judge {report.settings.judge}")


@app.command("log")
def log(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger's file.")] = o.LEDGER,
    run: Annotated[int | None, typer.Option(min=1, metavar="N", help="Entries of this run.")] = None,
    utterance: Annotated[str | None, typer.Option(metavar="ID", help="Entries of this utterance.")] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all that was asked and answered as .jsonl or .csv."),
    ] = None,
) -> None:
    """Show what a ledger holds: its runs and costs; one run or utterance in full; or export it."""
    from emojudge.cli.judge_log import export_entries, run_lines, show_entry
    from emojudge.errors import JudgeError
    from emojudge.judge.ledger import Ledger

    if not ledger.is_file():
        raise JudgeError(ledger, found="no such file", expected="a judge's ledger")
    with Ledger(ledger) as opened_ledger:
        if export is not None:
            written = export_entries(opened_ledger.entries(run, utterance), export)
            say(f"{written} entries are in {export}")
        elif run is None and utterance is None:
            for line in run_lines(opened_ledger):
                typer.echo(line)
        else:
            for entry in opened_ledger.entries(run, utterance):
                for line in show_entry(entry):
                    typer.echo(line)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="A small model by name, such as smollm2.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to; the user's cache by default.")
    ] = None,
) -> None:
    """Fetch a small language model that runs on this computer; prints its file."""
    from emojudge.judge.providers.get import get_model

    typer.echo(str(get_model(name, folder)))
