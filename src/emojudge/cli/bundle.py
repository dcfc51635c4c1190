"""`emojudge bundle`: what a bundle of models is, and whether it is as it was made."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli.choices import DataFolder, WeightsFolder
from emojudge.cli.description import description
from emojudge.cli.messages import count, printable, say

if TYPE_CHECKING:
    from emojudge.emotions import Emotion

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="A bundle's folder; without one, the embedded bundle.")
]
TorchWeights = Annotated[
    bool,
    typer.Option(
        "--torch", help="Keep float32 weights for --engine torch too, in two to five times the space."
    ),
]


@app.command("show")
def show(folder: Folder = None) -> None:
    """Say in words what a bundle holds: its models, their calibration and fusion, licence and origin."""
    from emojudge.bundle.format import Bundle

    bundle = Bundle.open(folder)
    for line in description(bundle):
        typer.echo(line)


@app.command("verify")
def verify(folder: Folder = None) -> None:
    """Check every file's hash and let the models judge a generated clip. Exit code 1 for one that fails."""
    from emojudge.bundle.format import Bundle
    from emojudge.cli.trial import try_out
    from emojudge.errors import BundleError

    try:
        bundle = Bundle.open(folder)
        for name in bundle.manifest.hashes:
            typer.echo(f"{printable(name)}: as in the manifest")
        trial = try_out(bundle)
    except BundleError as error:
        say(str(error))
        raise typer.Exit(1) from None
    typer.echo(f"prediction on a generated clip: {trial}")


@app.command("make")
def make(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The bundle's folder.", show_default=False)
    ],
    data: DataFolder,
    audio: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The run folder of the voice's model.")
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="The run folder of the words' model, or a bundle, to take over its own and its bins.",
        ),
    ] = None,
    stranger: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="A run of the voice's recipe without one of its corpora: that corpus then calibrates, "
            "as speech from elsewhere. May be repeated.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What predictions call it; the folder's name by default.")
    ] = None,
    weights: WeightsFolder = None,
    full: Annotated[
        bool, typer.Option("--full", help="Keep float32 weights instead of float16 and 8 bits.")
    ] = False,
    torch_weights: TorchWeights = False,
) -> None:
    """Make a bundle of trained models: calibrate, fit the fusion where there are both, export to ONNX.

    Needs the extra 'train'.
    """
    from emojudge.cli.extras import needing

    with needing("train", "emojudge bundle make"):
        from emojudge.training.assemble import assemble
    bundle = assemble(
        output,
        name or output.name,
        data,
        audio_run=audio,
        text_run=text,
        strangers=stranger or (),
        weights=weights,
        small=not full,
        torch_weights=torch_weights,
    )
    for line in description(bundle):
        typer.echo(line)


@app.command("import")
def import_(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A folder, or a name on the Hub.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The bundle's folder.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option(help="What predictions call it; the folder's name by default.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Keep float32 weights instead of float16.")] = False,
    torch_weights: TorchWeights = False,
) -> None:
    """Make a bundle of a published model, MSP-Podcast's baseline of emotions; none of its code is run.

    Needs the extra 'train'.
    """
    from emojudge.cli.extras import needing

    with needing("train", "emojudge bundle import"):
        from emojudge.bundle.published import import_published
    bundle = import_published(
        model, output, name=name or output.name, small=not full, torch_weights=torch_weights
    )
    for line in description(bundle):
        typer.echo(line)


@app.command("fit-bins")
def fit_bins(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The bundle's folder.", show_default=False)],
    recipe: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The recipe whose training recordings count.", show_default=False),
    ],
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder that holds the corpora's folders.", show_default=False),
    ],
    tracker: Annotated[str, typer.Option(help="The pitch tracker: swift-f0 or librosa.")] = "swift-f0",
    speakers: Annotated[
        bool, typer.Option("--speakers", help="Keep each speaker's own quantiles too, with their ids.")
    ] = False,
) -> None:
    """Measure the training recordings, and keep what is a low or a high voice among them in the bundle.

    Exit code 1 when recordings could not be measured; the others count. Needs the extra 'judge'.
    """
    from rich.console import Console
    from rich.progress import track

    from emojudge.bundle.format import Bundle
    from emojudge.corpora.sources import source_split
    from emojudge.judge.bins import add_bins, measure_all
    from emojudge.judge.bins import fit_bins as fit
    from emojudge.recipe import Recipe
    from emojudge.records import Failure

    bundle = Bundle.open(folder)
    utterances = [
        utterance
        for source in Recipe.read(recipe).data
        for utterance in source_split(source, data, "train")
        if utterance.emotion or utterance.votes or utterance.attributes
    ]
    measured, failed = [], 0
    progress = track(
        measure_all(utterances, tracker), "measuring", len(utterances), console=Console(stderr=True)
    )
    for item in progress:
        if isinstance(item, Failure):
            say(item.error)
            failed += 1
        else:
            measured.append(item)
    bins = fit(measured, speakers=speakers)
    add_bins(bundle, bins)
    typer.echo(f"{bins.overall.clips} clips, by {bins.extractor}: prosody.json")
    if failed:
        raise typer.Exit(1)


@app.command("quantize")
def quantize(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS",
            help="Recordings, folders or manifests on which both bundles are compared.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The new bundle.", show_default=False)
    ],
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The bundle to quantise instead of the embedded one.")
    ] = None,
    least: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Of labels that must stay as they are.")
    ] = 0.995,
) -> None:
    """Make a bundle with 8-bit weights, and say what it costs on your recordings.

    Times are medians of five passes. Of manifests with a column emotion, accuracy and macro-F1 before and
    after are told too. Where fewer labels stay than asked for, it is taken away again: exit code 1.
    """
    import os
    import shutil
    import tempfile

    from emojudge.bundle.format import Bundle
    from emojudge.bundle.quantise import quantise, size_of
    from emojudge.bundle.tuned import Way
    from emojudge.cli.inputs import gather
    from emojudge.errors import EmojudgeError
    from emojudge.tune import Trial, race

    before = Bundle.open(bundle)
    with tempfile.TemporaryDirectory(prefix="emojudge-") as spool:
        utterances = gather(inputs, Path(spool)).utterances
        after = quantise(before, output)
        sides = {"own": before, "int8": after}
        one, other = (Trial(Way(weights=each, threads=os.cpu_count() or 1)) for each in ("own", "int8"))
        try:
            race([one, other], utterances, lambda way: sides[way.weights], least=least)
        except EmojudgeError:
            shutil.rmtree(output)
            raise
    sizes = [size_of(each) / 1e6 for each in (before, after)]
    typer.echo(f"size: {sizes[0]:.1f} MB before, {sizes[1]:.1f} MB after")
    if found := other.agreement:
        times = f"{one.seconds:.2f} s before, {other.seconds:.2f} s after"
        typer.echo(f"time: {times}, {one.seconds / other.seconds:.2f} times as fast")
        labels = f"{found.same} of {count(found.utterances, 'utterance')} as before"
        typer.echo(f"labels: {labels} ({found.share:.2%})")
        typer.echo(f"scores: {found.largest:.3f} apart at most")
        truth = {
            u.id: u.emotion for u in utterances if u.emotion and u.id in one.scores.keys() & other.scores
        }
        if right := _right(truth, [one.scores, other.scores]):
            typer.echo(right)
    if other.fault:
        shutil.rmtree(output)
        say(f"{other.fault}: {output} was taken away again (--least says how many)")
        raise typer.Exit(1)


def _right(truth: "dict[str, Emotion]", sides: "list[dict[str, dict[Emotion, float]]]") -> str:
    """Figures before and after on the utterances whose emotion is known; nothing where none is."""
    from emojudge.emotions import EMOTIONS
    from emojudge.evaluation.metrics import accuracy, macro_f1

    if not truth:
        return ""
    labels = [EMOTIONS.index(emotion) for emotion in truth.values()]
    told = []
    for scores in sides:
        found = [max(range(len(EMOTIONS)), key=lambda at: scores[name][EMOTIONS[at]]) for name in truth]
        f1 = macro_f1(labels, found, len(EMOTIONS))
        told.append(f"accuracy {accuracy(labels, found):.3f} and macro-F1 {f1:.3f}")
    return f"right: {told[0]} before, {told[1]} after, of {count(len(truth), 'labelled utterance')}"
