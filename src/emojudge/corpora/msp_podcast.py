"""MSP-Podcast: speech from podcasts, labelled by a crowd; the corpus of the challenges of 2024 and 2025."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from emojudge.corpora.alignment import words_per_second
from emojudge.corpora.msp_release import (
    HIDDEN_SPLITS,
    KNOWN_MISSING,
    LABELS,
    RATINGS,
    SPLITS,
    UNKNOWN,
    Release,
)
from emojudge.corpora.msp_votes import Tally, tally
from emojudge.corpora.reading import read_text, some
from emojudge.emotions import LETTERS
from emojudge.errors import CorpusError
from emojudge.records import Attributes, Transcript, Utterance

_GENDERS: dict[str, Literal["female", "male"]] = {"female": "female", "male": "male"}

logger = logging.getLogger(__name__)


def load(folder: Path) -> list[Utterance]:
    """Read MSP-Podcast, releases 1.6 to 1.12, the challenge's and 2.0, as they were published; in English.

    Source: Lotfian & Busso, "Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving Emotional
    Speech From Existing Podcast Recordings", IEEE Transactions on Affective Computing 10 (2019); by licence
    from the MSP lab of the University of Texas at Dallas.

    Layout: `Labels/labels_consensus.csv` (or `.json`; `labels_concensus` up to 1.9), and beside it
    `labels_detailed`, `Audios`, `Transcripts`, `ForceAligned`, `Partitions.txt`, `Speaker_ids.txt`, as far as
    the copy has them. Ids are the names of the files, with `.wav`, as labels and submissions have them.

    Labels: `emotion` is the consensus, the plurality of the raters. The classes O and X have none; `label`
    says "other" or "no agreement". `votes` is the distribution over the eight of the raters who named one of
    them, `other_votes` the share of those who named none, `secondary` the share who ticked each further
    emotion. Attributes are the raters' mean on 1..7. For what one rater said, see `msp_votes.annotations`.

    Splits: train, dev (Development, or Validation in older releases), test1, test2, test3. Test3 is published
    without labels: its recordings are listed in `Partitions.txt` or are just there, and are read without.

    A labelled recording that is missing, as one of release 2.0 is, is left out with a warning; a copy without
    any audio is read for its labels and transcripts. Speakers that the release calls unknown are None.

    Raises:
        CorpusError: no consensus labels, or a row, transcript or alignment that is not as a release has it.
            `emojudge corpus check` names all of them at once.
    """
    release = Release.find(folder)
    parts = _Parts(
        release=release,
        splits=release.split_by_file(),
        speakers=release.speaker_by_file(),
        genders=release.gender_by_speaker(),
        tallies=tally(release.detailed) if release.detailed else {},
        texts=release.texts(),
        grids=release.grids(),
    )
    rows = _rows(release)
    missing = [name for name in rows if release.audio is not None and name not in release.recordings]
    for name in missing:
        del rows[name]
    utterances = [parts.utterance(where, name, row) for name, (where, row) in rows.items()]
    unlabelled = sorted((parts.splits.keys() | release.recordings.keys()) - rows.keys() - set(missing))
    utterances += [u for u in map(parts.unlabelled, unlabelled) if u is not None]
    _report(release, missing, len(unlabelled), len(utterances) - len(rows))
    return utterances


@dataclass(frozen=True)
class _Parts:
    """A release, read but for the consensus; joins its parts into utterances."""

    release: Release
    splits: Mapping[str, str]
    speakers: Mapping[str, str]
    genders: Mapping[str, str]
    tallies: Mapping[str, Tally]
    texts: Mapping[str, Path]
    grids: Mapping[str, Path]

    def utterance(self, where: str, name: str, row: Mapping[str, str]) -> Utterance:
        """A labelled utterance; `where` stands for its row in errors."""
        letter = row["EmoClass"]
        if letter not in LABELS:
            raise CorpusError(where, found=f"EmoClass {letter!r}", expected=f"one of {', '.join(LABELS)}")
        written = row.get("Split_Set") or self.splits.get(name, "")
        if written.lower() not in SPLITS:
            raise CorpusError(where, found=f"Split_Set {written!r}", expected=f"one of {', '.join(SPLITS)}")
        voted = self.tallies.get(name)
        unlabelled = self._unlabelled(
            name, SPLITS[written.lower()], row.get("SpkrID", ""), row.get("Gender", "")
        )
        return unlabelled.model_copy(
            update={
                "emotion": LETTERS.get(letter),
                "label": None if letter in LETTERS else LABELS[letter],
                "votes": voted.votes() if voted else None,
                "other_votes": voted.others / voted.raters if voted else None,
                "secondary": {tag: n / voted.raters for tag, n in voted.secondary.items()} if voted else None,
                "attributes": _attributes(where, row),
            }
        )

    def unlabelled(self, name: str) -> Utterance | None:
        """An utterance of a hidden split; None for what is in no such split, or is not there at all."""
        split = SPLITS.get(self.splits.get(name, "").lower())
        if split is None and "_test3_" in name:
            split = "test3"
        if split not in HIDDEN_SPLITS or (
            self.release.audio is not None and name not in self.release.recordings
        ):
            return None
        return self._unlabelled(name, split, "", "")

    def _unlabelled(self, name: str, split: str | None, speaker: str, gender: str) -> Utterance:
        speaker = _known(speaker) or _known(self.speakers.get(name, ""))
        gender = _known(gender) or self.genders.get(speaker, "")
        text = read_text(self.texts[name]).strip() if name in self.texts else ""
        return Utterance(
            id=name,
            audio=self.release.recordings.get(name),
            transcript=Transcript(text=text, source="MSP-Podcast", language="en") if text else None,
            speaker=f"msp_podcast:{speaker}" if speaker else None,
            gender=_GENDERS.get(gender.lower()),
            language="en",
            split=split,
            words_per_second=words_per_second(self.grids[name]) if name in self.grids else None,
        )


def _rows(release: Release) -> dict[str, tuple[str, dict[str, str]]]:
    """Place and fields of every consensus label by its recording's name."""
    rows: dict[str, tuple[str, dict[str, str]]] = {}
    for where, row in release.rows():
        name = row["FileName"]
        if name in rows:
            raise CorpusError(
                where, found=f"{name} again, as in {rows[name][0]}", expected="each recording once"
            )
        rows[name] = (where, row)
    return rows


def _known(name: str) -> str:
    return "" if name.lower() == UNKNOWN else name


def _attributes(where: str, row: Mapping[str, str]) -> Attributes:
    values = {name: row[column] for name, column in RATINGS.items()}
    try:
        return Attributes.model_validate(values)
    except ValidationError as error:
        column = RATINGS[str(error.errors()[0]["loc"][0])]
        raise CorpusError(
            where, found=f"{column} = {row[column]!r}", expected="a number from 1 to 7"
        ) from error


def _report(release: Release, missing: list[str], unlabelled: int, taken: int) -> None:
    """Say what was left out, and why."""
    if release.audio is None:
        logger.warning("%s: no folder Audios, so MSP-Podcast is read without recordings", release.root)
    unexpected = [name for name in missing if name not in KNOWN_MISSING]
    if missing:
        logger.warning(
            "%s: left out %d labelled recordings that are not in %s: %s%s",
            release.consensus, len(missing), release.audio, some(missing),
            "" if unexpected else " (known to be missing from release 2.0)",
        )  # fmt: skip
    if unlabelled > taken:
        logger.warning(
            "%s: left out %d recordings without labels: they are not of Test3, or are not there",
            release.root, unlabelled - taken,
        )  # fmt: skip
