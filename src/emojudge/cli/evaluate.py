"""`emojudge evaluate`: figures of anyone's predictions, with intervals, paired tests and slices."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emojudge.cli.choices import Report
from emojudge.cli.judge import mapping
from emojudge.cli.messages import say, warnings_said
from emojudge.cli.verbs import RunByDefault

if TYPE_CHECKING:
    from emojudge.evaluation.labels import Label


app = typer.Typer(cls=RunByDefault, no_args_is_help=True)

Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of stdout.")
]
Layout = Annotated[
    Report | None,
    typer.Option("--format", "-f", help="Default: table on a terminal, else json.", show_default=False),
]
Resamples = Annotated[int, typer.Option(min=100, max=1_000_000, help="Draws behind every interval.")]


@app.command("run")
def run(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            help="A .csv, .tsv, .jsonl or .parquet of any recogniser: id, emotion, score_EMOTION, valence …",
            show_default=False,
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE|DIR",
            help="What annotators heard: a table with id, emotion, speaker …, or a corpus's folder. "
            "Default: columns label or truth of the predictions themselves.",
        ),
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(metavar="NAME", help="Read --truth with this corpus's reader: ravdess …")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="OTHER", help="Another system on the same items, for paired tests; repeatable."),
    ] = None,
    sliced: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="COLUMN",
            help="Figures by this column of either table; 'all' takes those that are usual; repeatable.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,…|all", help="The label set; by default the emotions among the labels."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="OURS=THEIRS", help="The predictions' name of a column."),
    ] = None,
    truth_columns: Annotated[
        list[str] | None,
        typer.Option("--truth-columns", metavar="OURS=THEIRS", help="The labels' name of a column."),
    ] = None,
    scale: Annotated[
        str, typer.Option(metavar="LOW..HIGH", help="Of the predictions' valence, arousal, dominance.")
    ] = "1..7",
    recogniser: Annotated[
        bool, typer.Option("--recogniser", help="Leave a judge's verdicts out of account.")
    ] = False,
    resamples: Resamples = 10_000,
    level: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.95,
    method: Annotated[str, typer.Option(metavar="percentile|bca", help="Of the intervals.")] = "percentile",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html|DIR", help="Also a page, or a folder of figures and tables."),
    ] = None,
    layout: Layout = None,
    output: Output = None,
) -> None:
    """Evaluate predictions: macro-F1, accuracy, UAR, CCC …, each with its interval over speakers.

    Predictions with a judge's verdicts are also compared with those before it. Exit code 1: some labelled
    utterances have no prediction, and the figures are without them.
    """
    from emojudge.cli.evaluate_output import notes, write
    from emojudge.errors import EmojudgeError
    from emojudge.evaluation.aligned import align, has_verdicts, make_truth
    from emojudge.evaluation.evaluate import Settings
    from emojudge.evaluation.predictions import Predictions
    from emojudge.evaluation.report import Evaluated, evaluated

    if method not in ("percentile", "bca"):
        raise EmojudgeError("--method", found=repr(method), expected="percentile or bca")
    settings = Settings(resamples, level, seed, "bca" if method == "bca" else "percentile", _classes(classes))
    labels = _labels(predictions, truth, corpus, mapping(truth_columns), mapping(columns))
    made = make_truth(labels.values())
    table, *tables = (
        Predictions(path, mapping(columns), _scale(scale), attributes_alone=True)
        for path in (predictions, *(against or []))
    )
    system = align(table, labels, made, verdicts=not recogniser)
    others = [align(other, labels, made) for other in tables]
    if has_verdicts(system) and not recogniser:
        others.insert(0, align(table, labels, made, verdicts=False).named(f"{system.name} before the judge"))
    result: Evaluated = evaluated(
        made, system, others, sliced or [], settings, str(truth or predictions), corpus
    )
    write(result, layout or (Report.TABLE if sys.stdout.isatty() or output else Report.JSON), output)
    if report is not None:
        from emojudge.evaluation.page import write_page

        write_page(result, made, system, notes(result), report)
        say(f"wrote {report}")
    lost = sum(note.count for note in result.evaluation.notes if note.lost)
    if lost:
        say(f"{lost} labelled utterances have no prediction; the figures are without them")
        raise typer.Exit(1)


@app.command("matrix")
def matrix(
    cells: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="A row for each pair of corpora: train, test, predictions, truth; perhaps corpus, emotions.",
            show_default=False,
        ),
    ],
    figure: Annotated[
        str, typer.Option(metavar="UAR|macro-F1|accuracy", help="Shown in the matrix.")
    ] = "UAR",
    resamples: Resamples = 10_000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    layout: Layout = None,
    output: Output = None,
) -> None:
    """Models trained on one corpus, tested on another, over the emotions that both have labels for."""
    from dataclasses import asdict

    from emojudge.cli.evaluate_output import write_tables
    from emojudge.errors import EmojudgeError
    from emojudge.evaluation.evaluate import Settings
    from emojudge.evaluation.matrix import matrix_tables, read_matrix

    if figure not in ("UAR", "macro-F1", "accuracy"):
        raise EmojudgeError("--figure", found=repr(figure), expected="UAR, macro-F1 or accuracy")
    with warnings_said():
        found = read_matrix(cells, Settings(resamples, seed=seed))
    chosen = layout or (Report.TABLE if sys.stdout.isatty() or output else Report.JSON)
    write_tables(matrix_tables(found, figure), [], [asdict(each) for each in found], chosen, output)


def _labels(
    predictions: Path,
    truth: Path | None,
    corpus: str | None,
    truth_columns: dict[str, str],
    columns: dict[str, str],
) -> "dict[str, Label]":
    from emojudge.corpora import load_corpus
    from emojudge.errors import EmojudgeError
    from emojudge.evaluation.labels import labels_of, read_labels

    if corpus is not None:
        if truth is None:
            raise EmojudgeError("--corpus", found="no folder", expected="--truth DIR beside it")
        options: dict[str, Any] = {"columns": truth_columns} if truth_columns else {}
        with warnings_said():
            return labels_of(load_corpus(corpus, truth, **options))
    if truth is None or truth.resolve() == predictions.resolve():
        ids = {"id": columns["id"]} if "id" in columns else {}
        return read_labels(predictions, ids | truth_columns, beside_predictions=True)
    if truth.is_dir():
        raise EmojudgeError(
            truth, found="a folder", expected="a table, or --corpus NAME, the reader of the folder"
        )
    return read_labels(truth, truth_columns)


def _classes(text: str | None) -> Any:
    from emojudge.emotions import EMOTIONS, parse_emotion
    from emojudge.errors import EmojudgeError

    if text is None:
        return None
    if text == "all":
        return EMOTIONS
    named = [parse_emotion(name) for name in text.split(",")]
    if None in named:
        raise EmojudgeError("--classes", found=repr(text), expected=f"some of {', '.join(EMOTIONS)}")
    return tuple(emotion for emotion in EMOTIONS if emotion in named)


def _scale(text: str) -> tuple[float, float]:
    from emojudge.errors import EmojudgeError

    low, dots, high = text.partition("..")
    try:
        scale = float(low), float(high)
        if not dots or not scale[0] < scale[1]:
            raise ValueError
    except ValueError:
        raise EmojudgeError(
            "--scale", found=repr(text), expected="LOW..HIGH, such as 0..1 or -1..1"
        ) from None
    return scale
