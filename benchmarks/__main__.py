"""`python -m benchmarks NAME …`: run one measurement and keep its figures in benchmarks/results/NAME.json."""

import argparse
import importlib
import json
import platform
import subprocess
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
NAMES = (
    "accuracy", "as_msp", "coverage", "folds", "footprint", "full_size", "judge", "judge_speed", "prosody",
    "report", "picture", "stress",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--corpora", type=Path, help="folder that holds emodb, ravdess, nemo …")
    parser.add_argument("--weights", type=Path, help="folder that holds pre-trained encoders (folds)")
    parser.add_argument("--bundle", type=Path, help="a bundle instead of the embedded one")
    parser.add_argument(
        "--output", type=Path, help="folder to write to (as_msp), to keep predictions in (stress)"
    )
    parser.add_argument("--release", default="challenge", help="whose layout it is: 1.6 ... 2.0 (as_msp)")
    parser.add_argument("--names", nargs="+", help="which of the corpora, by folder; default: all (as_msp)")
    parser.add_argument(
        "--most", type=int, help="clips at most: of an emotion in a split (as_msp), changed (stress)"
    )
    parser.add_argument("--model", help="GGUF file or name (judge); large, tiny (full_size)")
    parser.add_argument("--limit", type=int, default=600, help="utterances of a split at most (judge)")
    parser.add_argument("--threads", type=int, help="of a language model in this process (judge)")
    parser.add_argument("--ledger", type=Path, help="where answers are kept between runs (judge)")
    arguments = parser.parse_args()
    measured = importlib.import_module(f"benchmarks.{arguments.name}").run(arguments)
    if measured is None:
        return
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    about = {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "processor": platform.machine(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{arguments.name}.json").write_text(
        json.dumps({**about, "figures": measured}, indent=1) + "\n"
    )


main()
