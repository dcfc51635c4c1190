"""Who speaks when, found by a diarisation model: pyannote.audio (the extra `diarise`), and those of plug-ins.

A plug-in offers an entry point in the group `emojudge.diarisers`: a function that takes what follows the
colon in `name:option` (or None) and returns a Diariser.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from emojudge import plugins
from emojudge.audio.decode import SAMPLE_RATE, Samples
from emojudge.errors import MissingExtraError, TranscriptError
from emojudge.records import Segment, Transcript

PLUGINS = "emojudge.diarisers"  # the group of entry points


class Diariser(Protocol):
    """A diarisation model, ready to run."""

    def __call__(self, samples: Samples) -> Transcript:
        """The turns in a whole recording `(samples,)`, mono at 16 kHz: segments with speakers, no words.

        Raises:
            TranscriptError: the model failed.
        """
        ...


def load_diariser(spec: str) -> Diariser:
    """The diariser that a specification names, ready to run.

    - "pyannote:FOLDER": a pipeline of pyannote.audio from a folder with its `config.yaml` and weights, such
      as a copy of speaker-diarization-community-1. Nothing is downloaded, and its telemetry is switched off.
    - "pyannote": that pipeline from the cache of the Hub's client, if it is there.

    Raises:
        TranscriptError: an unknown name, or a pipeline that does not load.
        MissingExtraError: pyannote.audio is not installed.
    """
    name, _, option = spec.partition(":")
    return plugins.find(PLUGINS, _MODELS, name, TranscriptError)(option or None)


class Pyannote:
    """A speaker diarisation pipeline of pyannote.audio 3 or 4."""

    def __init__(self, option: str | None) -> None:
        # Before the import, which reads them: no figures of use are sent, and no weights fetched. They stay,
        # as the pipeline reads the first of them whenever it runs.
        os.environ["PYANNOTE_METRICS_ENABLED"] = "false"
        os.environ["HF_HUB_OFFLINE"] = "1"
        try:
            import torch
            from pyannote.audio import Pipeline
        except ImportError as error:
            raise MissingExtraError("diarisation with pyannote", "diarise") from error
        where = option or "pyannote/speaker-diarization-community-1"
        if option is not None and not Path(option).expanduser().exists():
            raise TranscriptError(
                f"pyannote:{option}", found="no such folder", expected="a pipeline's folder"
            )
        try:
            pipeline = Pipeline.from_pretrained(Path(option).expanduser() if option else where)
        except Exception as error:  # of the Hub's client, YAML, torch
            raise TranscriptError(
                f"pyannote:{where}", found=f"{type(error).__name__}: {error}", expected="a pipeline to load"
            ) from error
        if pipeline is None:
            raise TranscriptError(
                f"pyannote:{where}",
                found="nothing in the cache",
                expected="its weights",
                advice="Download the pipeline, and name its folder as 'pyannote:FOLDER'.",
            )
        self._pipeline: Any = pipeline
        self._tensor: Callable[[Any], Any] = torch.from_numpy
        self.name = f"pyannote {Path(where).name}"

    def __call__(self, samples: Samples) -> Transcript:
        try:
            output = self._pipeline({"waveform": self._tensor(samples)[None], "sample_rate": SAMPLE_RATE})
        except Exception as error:  # of torch, or of the pipeline's blocks
            raise TranscriptError(
                self.name, found=f"{type(error).__name__}: {error}", expected="turns"
            ) from error
        found = getattr(output, "exclusive_speaker_diarization", output)  # version 3 gives the turns alone
        turns = [
            Segment(start=max(0.0, turn.start), end=turn.end, text="", speaker=str(speaker))
            for turn, _, speaker in found.itertracks(yield_label=True)
        ]
        return Transcript(text="", source=self.name, segments=tuple(turns))


_MODELS: Mapping[str, Callable[[str | None], Diariser]] = {"pyannote": Pyannote}
