"""A recogniser's predictions in a file as they are made: work that was killed goes on with those it has."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from emojudge.bundle.format import MANIFEST, file_hash
from emojudge.errors import EmojudgeError
from emojudge.recognizer import Input, Recognizer
from emojudge.records import Failure, Prediction

PART = 256  # utterances that are looked up at a time
_KEY = hashlib.sha256().digest_size * 2  # characters that a line begins with


class Remembered:
    """Predicts as its recogniser does, but not again what the file has.

    Use it as a context: the file goes when the work is done, and stays where that ends before.

    A prediction is known by all that it depends on: the samples, or the recording's path, size and time of
    change; the words, the id, the bundle, and what runs it. So a file of other recordings or options gives
    nothing, and does no harm. Failures are tried again.

    Args:
        recognizer: what predicts.
        path: of the file.
        depends: what else predictions depend on, such as the language that a transcriber listens for.

    Raises:
        EmojudgeError: the file cannot be written.
    """

    def __init__(self, recognizer: Recognizer, path: Path, depends: str = "") -> None:
        self.bundle = recognizer.bundle
        self._recognizer = recognizer
        self._path = path
        transcriber = recognizer.transcriber.name if recognizer.transcriber else None
        about = [file_hash(self.bundle.folder / MANIFEST), recognizer.engine, transcriber, depends]
        self._about = json.dumps(about).encode()
        try:
            self._file = path.open("a+b")
        except OSError as error:
            raise EmojudgeError(
                path, found=str(error.strerror), expected="a file in a folder to write in"
            ) from error
        self._places: dict[str, int] = {}  # where in the file the line of a key begins
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None or not self._path.stat().st_size:
            self._path.unlink()

    def __len__(self) -> int:
        """How many predictions an earlier run left."""
        return len(self._places)

    def predict(self, utterances: Iterable[Input]) -> Iterator[Prediction | Failure]:
        """Predictions in the order of the utterances, of which PART are held at a time."""
        given = iter(utterances)
        while part := list(islice(given, PART)):
            yield from self._predicted([(item, self._key(item)) for item in part])

    def _predicted(self, asked: list[tuple[Input, str | None]]) -> Iterator[Prediction | Failure]:
        known = [self._recalled(key) for _, key in asked]
        fresh = [item for (item, _), found in zip(asked, known, strict=True) if found is None]
        made = self._recognizer.predict(fresh) if fresh else iter(())
        for (_, key), found in zip(asked, known, strict=True):
            if found is not None:
                yield found
                continue
            result = next(made)
            if key is not None and isinstance(result, Prediction):
                self._file.write(f"{key} {result.model_dump_json()}\n".encode())
                self._file.flush()
            yield result

    def _read(self) -> None:
        """Note where predictions are; a last line that was not written to its end is cut off."""
        place = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            self._places[line[:_KEY].decode(errors="replace")] = place
            place += len(line)
        self._file.truncate(place)

    def _recalled(self, key: str | None) -> Prediction | None:
        if key is None or key not in self._places:
            return None
        self._file.seek(self._places[key])
        try:
            return Prediction.model_validate_json(self._file.readline()[_KEY:])
        except ValidationError:  # of an older version, or damaged
            return None

    def _key(self, item: Input) -> str | None:
        """None for a recording that cannot be found: whoever predicts it says so."""
        utterance, audio = item if isinstance(item, tuple) else (item, None)
        words = utterance.model_dump_json(include={"id", "transcript"}).encode()
        heard: object = None
        if audio is not None:
            heard = audio.notes
        elif utterance.audio is not None:
            try:
                state = utterance.audio.stat()
            except (OSError, ValueError):
                return None
            heard = [str(utterance.audio.absolute()), state.st_size, state.st_mtime_ns]
        digest = hashlib.sha256(b"\0".join((self._about, words, json.dumps(heard).encode())))
        if audio is not None:
            digest.update(audio.samples.tobytes())
        return digest.hexdigest()
