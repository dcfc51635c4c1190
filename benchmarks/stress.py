"""The embedded bundle through the stress tests on EMO-DB, which it has heard in part, and on RAVDESS."""

import argparse
import time
from pathlib import Path
from typing import Any

from emojudge.bundle.format import MANIFEST, Bundle, file_hash
from emojudge.corpora import load_corpus
from emojudge.evaluation.stress.run import Corpus, Settings, stress
from emojudge.recognizer import Recognizer

NAMES = ("emodb", "ravdess")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every single test, and how long all of them took; with `--output DIR` predictions are kept there."""
    bundle = Bundle.open(arguments.bundle)
    corpora = [Corpus(name, load_corpus(name, arguments.corpora / name)) for name in NAMES]
    kept: Path | None = arguments.output
    wall, cpu = time.perf_counter(), time.process_time()
    found = stress(
        Recognizer(bundle).predict,
        bundle.manifest.name,
        corpora,
        Settings(changed=arguments.most or Settings().changed),
        keep=kept,
        key=file_hash(bundle.folder / MANIFEST),
        progress=lambda done, total, what: print(what, done, total, flush=True) if done == total else None,
    )
    times = {"wall_s": round(time.perf_counter() - wall), "cpu_s": round(time.process_time() - cpu)}
    return {**times, **found.as_dict()}
