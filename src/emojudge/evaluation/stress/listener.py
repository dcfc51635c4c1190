"""The predictions that tests look at, made once: an interrupted run goes on with those that it has."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emojudge.evaluation.stress.check import Heard, Predict, hear
from emojudge.files import whole
from emojudge.progress import Progress
from emojudge.records import Utterance


class Listener:
    """Hears recordings, and keeps what it heard.

    Args:
        predict: utterances to predictions or failures.
        keep: a folder for what was heard; None: nothing is kept.
        key: what it depends on beside the utterances.
        progress: is told what is being heard.
    """

    def __init__(self, predict: Predict, keep: Path | None, key: str, progress: Progress) -> None:
        self.predict, self._keep, self._key, self._progress = predict, keep, key, progress
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)

    def hear(self, what: str, utterances: Sequence[Utterance]) -> Heard:
        """Predictions of utterances, from the folder where they are in it."""
        path = self._path(what, utterances)
        if path is not None and path.is_file():
            with np.load(path, allow_pickle=False) as kept:
                return Heard(kept["scores"], kept["attributes"], kept["failed"].tolist())
        count = 0

        def done(more: int) -> None:
            nonlocal count
            count += more
            self._progress(count, len(utterances), what)

        heard = hear(self.predict, utterances, done)
        if path is not None:
            with whole(path) as temporary, temporary.open("wb") as file:
                failed = np.array(heard.failed, dtype=np.str_)
                np.savez(file, scores=heard.scores, attributes=heard.attributes, failed=failed)
        return heard

    def known(self, what: str, utterances: Sequence[Utterance]) -> bool:
        """Whether these were heard before, and need not be made again."""
        path = self._path(what, utterances)
        return path is not None and path.is_file()

    def _path(self, what: str, utterances: Sequence[Utterance]) -> Path | None:
        if self._keep is None:
            return None
        content = json.dumps([self._key, what, *(u.id for u in utterances)])
        return self._keep / f"{hashlib.sha256(content.encode()).hexdigest()[:20]}.npz"
