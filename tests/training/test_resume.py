"""A training that is killed goes on to what it would have come to: bit by bit, whenever it was killed."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

pytest.importorskip("torch", reason="needs the extra 'train'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks its trainings"),
]

SCRIPT = Path(__file__).with_name("resume_script.py")


def run(folder: Path) -> dict:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_at_every_moment_that_matters(tmp_path: Path):
    """Before and after each step and each replacement of a file, in half-written files, between epochs."""
    for report in run(tmp_path).values():
        assert report["wrong"] == []
        assert report["ended"]
        kinds = {name.split(" of ")[0] for name in report["events"]}
        assert {"before a step", "after best.safetensors is replaced", "half"} <= kinds
        assert len(report["events"]) > 25


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Clips, a tiny Whisper and a recipe with everything that draws random numbers."""
    import torch
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, dropout=0.2
    )
    WhisperEncoder(config).save_pretrained(tmp_path / "voice")
    generator = np.random.default_rng(0)
    rows = ["file,speaker,emotion,valence,arousal,dominance"]
    for number in range(24):
        pitch = [110, 250, 500][number % 3]
        time = np.arange(int(16_000 * generator.uniform(0.3, 0.6))) / 16_000
        clip = 0.3 * np.sin(2 * np.pi * pitch * time) + generator.normal(0, 0.02, len(time))
        soundfile.write(tmp_path / f"{number}.wav", clip, 16_000)
        ratings = ",".join(f"{value:.1f}" for value in generator.uniform(1, 7, 3))
        rows.append(f"{number}.wav,s{number % 4},{['sad', 'happy', 'angry'][number % 3]},{ratings}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    recipe = {
        "name": "killed",
        "modality": "audio",
        "tasks": ["emotion", "attributes"],
        "data": [{"corpus": "table", "folder": ".", "holdout": {"dev": 0.25}, "repeat": 1.5}],
        "acoustic": {
            "backbone": {"kind": "whisper", "weights": "voice"},
            "head_width": 8,
            "max_seconds": 1.0,
            "augment": True,
        },
        "training": {
            "epochs": 3,
            "batch_size": 8,
            "accumulation": 2,
            "learning_rates": {"encoder": 1e-3, "pooling": 1e-2, "head": 1e-2},
            "warmup": 0.1,
            "decay": "linear",
            "weight_average": 0.9,
            "checkpoint_every": 2,
        },
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return tmp_path


def test_a_recipe_killed_again_and_again(home: Path):
    report = run(home)
    assert report["kills"] == 8
    assert report["same"], report["events"]
    folder = home / "broken"
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert {"loss", "macro_f1", "ccc", "ccc_valence", "seconds"} <= set(rows[0])
    # Nothing in the run folder can run code when it is read: no pickle, neither bare nor in a zip.
    kept = [path for path in folder.rglob("*") if path.is_file()]
    events = [path for path in kept if path.name.startswith("events.out.tfevents")]
    assert events
    assert {path.suffix for path in kept if path not in events} == {".json", ".csv", ".safetensors"}
    for path in kept:
        assert path.read_bytes()[:2] not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), path
    assert _steps(events) == list(range(1, int(rows[-1]["step"]) + 1))


def _steps(files: list[Path]) -> list[int]:
    """The steps of the training loss as TensorBoard shows them: those of a killed run are not doubled."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(files[0].parent))
    shown.Reload()
    return [event.step for event in shown.Scalars("train/loss")]
