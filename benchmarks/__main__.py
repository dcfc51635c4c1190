"""`python -m benchmarks NAME …`: run one measurement and keep its figures in benchmarks/results/NAME.json."""

import argparse
import importlib
from pathlib import Path

from benchmarks.keeping import keep

NAMES = (
    "accuracy", "as_msp", "bulk", "coverage", "egemaps", "embedded", "folds", "footprint", "full_size",
    "interrupted", "judge", "judge_speed", "large", "long", "picture", "pipeline", "prosody", "report",
    "scale", "serve_load", "stress",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--corpora", type=Path, help="folder that holds emodb, ravdess, nemo …")
    parser.add_argument(
        "--weights", type=Path, help="folder that holds pre-trained encoders (folds, interrupted)"
    )
    parser.add_argument("--bundle", type=Path, help="a bundle instead of the embedded one")
    parser.add_argument(
        "--output",
        type=Path,
        help="folder to write to (as_msp), to keep predictions (stress) or trainings (folds) in",
    )
    parser.add_argument("--release", default="challenge", help="whose layout it is: 1.6 ... 2.0 (as_msp)")
    parser.add_argument(
        "--names",
        nargs="+",
        help="which of the corpora, by folder (as_msp); of the ways (full_size); of engines (large)",
    )
    parser.add_argument(
        "--most", type=int, help="clips at most: of an emotion in a split (as_msp), changed (stress)"
    )
    parser.add_argument("--model", help="GGUF file or name (judge); large, tiny (full_size, large)")
    parser.add_argument(
        "--limit", type=int, default=600, help="utterances at most (judge, large); seconds (serve_load)"
    )
    parser.add_argument("--threads", type=int, help="of a language model in this process (judge)")
    parser.add_argument("--ledger", type=Path, help="where answers are kept between runs (judge)")
    arguments = parser.parse_args()
    measured = importlib.import_module(f"benchmarks.{arguments.name}").run(arguments)
    if measured is not None:
        keep(arguments.name, measured)


main()
