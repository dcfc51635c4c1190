"""Where a measurement's figures are kept, with the day, the commit and the processor they are of."""

import json
import platform
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def keep(name: str, figures: dict[str, Any]) -> None:
    """Write `results/NAME.json`."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    about = {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "processor": platform.machine(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({**about, "figures": figures}, indent=1) + "\n")
