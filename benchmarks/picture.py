"""Write docs/predict.svg: what the README's main command prints, as a picture."""

import argparse
import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
COMMAND = [
    "predict",
    "examples/two_voices.flac",
    "--transcripts",
    "examples/two_voices.srt",
    "--format",
    "table",
]


def run(arguments: argparse.Namespace) -> None:
    """Runs the command in this environment and draws its output."""
    program = Path(sys.executable).parent / "emojudge"
    done = subprocess.run([program, *COMMAND], cwd=ROOT, capture_output=True, text=True, check=True)
    console = Console(record=True, width=88, file=io.StringIO())
    console.print(Text(f"$ emojudge {' '.join(COMMAND[:-2])}\n", style="bold"))
    console.print(Text.from_ansi(done.stdout.rstrip()))
    console.save_svg(str(ROOT / "docs" / "predict.svg"), title="emojudge")
