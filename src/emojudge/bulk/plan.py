"""A bulk run on storage: its inputs in parts, what is done of them, and what it all comes to.

plan.json                  what is run: never changed, so that a run that goes on is the same run
inputs/part-00000.parquet  the inputs
predictions/part-….parquet one row an input that was predicted; beside it `.jsonl` where asked for
failures/part-….parquet    one row an input that was not, and why
done/part-….json           written last: a part without it is done again, whole
manifest.json              when all parts are done: their counts
"""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emojudge.bulk.inputs import Input
from emojudge.bulk.storage import Storage
from emojudge.bundle.engines import DEFAULT
from emojudge.emotions import ATTRIBUTES
from emojudge.errors import EmojudgeError, MissingExtraError
from emojudge.records import Failure, Prediction, Record
from emojudge.rows import COLUMNS, row

PREDICTIONS = ("id", "file", *(c for c in COLUMNS[1:] if not c.startswith("verdict_") and c != "error"))
TEXTS = {
    "id",
    "file",
    "emotion",
    "modalities",
    "transcript",
    "transcript_source",
    "adapted",
    "bundle",
    "engine",
    "notes",
}
TEXTS |= {f"{name}_from" for name in ATTRIBUTES}
FAILURES = ("id", "url", "error")


class Settings(Record):
    """What the results depend on, and how they are laid out."""

    sources: tuple[str, ...]
    bundle: str | None = None  # a folder that every worker can read; None: the embedded one
    bundle_hash: str
    asr: str = "none"
    engine: str = DEFAULT
    language: str | None = None
    part_size: int = 200  # inputs; what is lost of a worker that is killed
    jsonl: bool = False  # predictions as JSON lines too, with everything that a prediction holds
    version: str


class Done(Record):
    """What became of a part."""

    part: int
    inputs: int
    predicted: int
    failed: int
    audio_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class Plan:
    """The run in a folder."""

    storage: Storage
    settings: Settings
    parts: int
    inputs: int

    @classmethod
    def begin(cls, storage: Storage, settings: Settings, inputs: Sequence[Input]) -> "Plan":
        """Lay a run out. Its plan is written last: without one, nothing was begun."""
        size = settings.part_size
        parts = [inputs[at : at + size] for at in range(0, len(inputs), size)]
        for number, part in enumerate(parts):
            content = _parquet([each.model_dump() for each in part], tuple(Input.model_fields), frozenset())
            (storage / f"inputs/{_name(number)}.parquet").write(content)
        plan = cls(storage, settings, len(parts), len(inputs))
        told = {"settings": settings.model_dump(), "parts": plan.parts, "inputs": plan.inputs}
        (storage / "plan.json").write(json.dumps(told, indent=1).encode())
        return plan

    @classmethod
    def of(cls, storage: Storage) -> "Plan | None":
        """The run that was begun in this folder.

        Raises:
            EmojudgeError: a plan that is none of ours.
        """
        path = storage / "plan.json"
        if not path.exists():
            return None
        try:
            told = json.loads(path.read())
            settings = Settings.model_validate(told["settings"])
            return cls(storage, settings, int(told["parts"]), int(told["inputs"]))
        except (KeyError, TypeError, ValueError) as error:
            raise EmojudgeError(path.root, found=str(error), expected="the plan of a bulk run") from error

    def check(self, settings: Settings) -> None:
        """Raises EmojudgeError if the run that is here was begun with other settings."""
        for name in Settings.model_fields:
            here, asked = getattr(self.settings, name), getattr(settings, name)
            if here != asked:
                raise EmojudgeError(
                    self.storage.root,
                    found=f"a run with {name} = {here!r}",
                    expected=f"one with {asked!r}",
                    advice="Go on with the same settings, or write to another folder.",
                )

    def part(self, number: int) -> list[Input]:
        """A part's inputs."""
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO((self.storage / f"inputs/{_name(number)}.parquet").read()))
        return [Input.model_validate(each) for each in table.to_pylist()]

    def open_parts(self) -> list[int]:
        """The parts that are not done."""
        done = {each.part for each in self.done()}
        return [number for number in range(self.parts) if number not in done]

    def done(self) -> Iterator[Done]:
        """What became of the parts that are done, in their order."""
        folder = self.storage / "done"
        for path in folder.files(lambda name: name.endswith(".json")) if folder.exists() else ():
            yield Done.model_validate_json(Storage(folder.fs, path).read())

    def keep(self, results: Sequence[Prediction | Failure], done: Done, urls: Sequence[str | None]) -> None:
        """Write a part's results, and last that it is done."""
        name = _name(done.part)
        pairs = list(zip(results, urls, strict=True))
        rows = [{**row(each), "file": url} for each, url in pairs if isinstance(each, Prediction)]
        content = _parquet(rows, PREDICTIONS, frozenset(PREDICTIONS) - TEXTS)
        (self.storage / f"predictions/{name}.parquet").write(content)
        if self.settings.jsonl:
            predicted = (each for each in results if isinstance(each, Prediction))
            lines = "".join(each.model_dump_json() + "\n" for each in predicted)
            (self.storage / f"jsonl/{name}.jsonl").write(lines.encode())
        failed = [
            {"id": each.id, "url": url, "error": each.error}
            for each, url in pairs
            if isinstance(each, Failure)
        ]
        (self.storage / f"failures/{name}.parquet").write(_parquet(failed, FAILURES, frozenset()))
        (self.storage / f"done/{name}.json").write(done.model_dump_json().encode())

    def finish(self) -> dict[str, Any]:
        """Count everything, and write the manifest.

        Raises:
            EmojudgeError: not every input has exactly one row.
        """
        parts = list(self.done())
        totals = {
            name: sum(getattr(each, name) for each in parts) for name in Done.model_fields if name != "part"
        }
        rows = totals["predicted"] + totals["failed"]
        if len(parts) != self.parts or totals["inputs"] != self.inputs or rows != self.inputs:
            raise EmojudgeError(
                self.storage.root,
                found=f"{len(parts)} of {self.parts} parts with {rows} rows",
                expected=f"one row for each of {self.inputs} inputs",
            )
        told = {
            "settings": self.settings.model_dump(),
            **totals,
            "parts": [each.model_dump() for each in parts],
        }
        (self.storage / "manifest.json").write(json.dumps(told, indent=1).encode())
        return totals


def _name(number: int) -> str:
    return f"part-{number:05d}"


def _parquet(rows: Sequence[dict[str, Any]], columns: Sequence[str], numbers: frozenset[str]) -> bytes:
    """Rows as a Parquet file whose columns have the same types whatever is in them."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("bulk runs", "bulk") from error
    schema = arrow.schema([(c, arrow.float64() if c in numbers else arrow.string()) for c in columns])
    table = arrow.Table.from_pylist([{c: each.get(c) for c in columns} for each in rows], schema=schema)
    target = io.BytesIO()
    parquet.write_table(table, target, compression="zstd")
    return target.getvalue()
