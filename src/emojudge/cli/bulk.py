"""`emojudge bulk`: many recordings, over many workers, resumable."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli.choices import Asr, Language

if TYPE_CHECKING:
    from emojudge.bulk.plan import Settings


def bulk(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES",
            help="Folders, globs and files of recordings, or manifests (.csv, .tsv, .jsonl, .parquet with "
            "the columns file, transcript, speaker, id ...), local or s3://, gs://, https:// ...",
            show_default=False,
        ),
    ],
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="The folder of results, local or as above.")],
    bundle: Annotated[
        str | None,
        typer.Option(
            metavar="BUNDLE",
            help="Models to use instead of the embedded ones: a folder where every worker finds it, or "
            "hf://ORG/NAME of the Hub.",
        ),
    ] = None,
    asr: Asr = "none",
    language: Language = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="onnxruntime|openvino|torch[:PRECISION]",
            help="What runs the models, the same on every machine.",
        ),
    ] = "onnxruntime",
    workers: Annotated[
        int, typer.Option(metavar="N", min=0, help="At most so many workers; 0: one for each core or GPU.")
    ] = 0,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Cores of each worker.")] = 1,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="A GPU for each worker (needs onnxruntime-gpu, or --engine torch).")
    ] = False,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="A Ray cluster, such as auto or ray://HOST:10001; else this machine."
        ),
    ] = None,
    part_size: Annotated[
        int, typer.Option(metavar="N", min=1, max=100_000, help="Inputs that are written together.")
    ] = 200,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Write JSON lines beside the Parquet files.")
    ] = False,
) -> None:
    """Predict many recordings over many workers; called again after an interruption, it goes on.

    Exit codes: 0 all done, 1 some inputs failed (they are in failures/), 2 nothing could begin.
    """
    from emojudge.bulk.inputs import gather
    from emojudge.bulk.plan import Plan
    from emojudge.bulk.run import Pool, run
    from emojudge.bulk.storage import Storage
    from emojudge.cli.messages import count, say
    from emojudge.cli.progress import bar

    settings = _settings(tuple(sources), bundle, asr, language, engine, part_size, jsonl)
    storage = Storage.at(to)
    plan = Plan.of(storage)
    if plan is None:
        plan = Plan.begin(storage, settings, gather(sources))
    else:
        plan.check(settings)
        said = f"goes on with the run of {count(plan.inputs, 'input')} that was begun in {to}; "
        say(said + f"{plan.parts - len(plan.open_parts())} of {count(plan.parts, 'part')} are done")
    before = sum(each.inputs for each in plan.done())
    with bar("predicting", plan.inputs, sys.stderr.isatty()) as advance:
        advance(before)
        pool = Pool(workers, threads, gpu, address)
        totals = run(plan, storage.address(storage.root), pool, lambda done: advance(done.inputs))
    say(
        f"{totals['predicted']} of {count(plan.inputs, 'input')} predicted, "
        f"{totals['audio_seconds'] / 3600:.2f} hours of audio, in {to}"
    )
    if totals["failed"]:
        say(f"{totals['failed']} failed: see failures/")
        raise typer.Exit(1)


def _settings(
    sources: tuple[str, ...],
    bundle: str | None,
    asr: str,
    language: str | None,
    engine: str,
    size: int,
    jsonl: bool,
) -> "Settings":
    from emojudge import __version__
    from emojudge.bulk.plan import Settings
    from emojudge.bundle.format import HUB, MANIFEST, Bundle, file_hash

    opened = Bundle.open(bundle)
    return Settings(
        sources=sources,
        bundle=os.path.abspath(bundle) if bundle and not bundle.startswith(HUB) else bundle,
        bundle_hash=file_hash(opened.folder / MANIFEST),  # it holds the files' hashes
        asr=asr,
        language=language,
        engine=engine,
        part_size=size,
        jsonl=jsonl,
        version=__version__,
    )
