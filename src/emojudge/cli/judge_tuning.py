"""For `emojudge judge tune`: the judges to compare, and the labelled utterances."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emojudge.cli.judge_options import Asked, Confidence, make_judge

if TYPE_CHECKING:
    from emojudge.evaluation.labels import Label
    from emojudge.evaluation.predictions import Row
    from emojudge.judge.evidence import Unheard
    from emojudge.judge.judging import Judge
    from emojudge.judge.tuning import Labelled
    from emojudge.records import Evidence


def make_judges(
    asked: Asked,
    names: Sequence[str],
    prompts: Sequence[str] | None,
    confidences: Sequence[Confidence] | None,
    task: str,
) -> "list[Judge]":
    """A judge for each model, wording and source of confidence; they share a ledger and what may be spent."""
    from emojudge.errors import JudgeError
    from emojudge.judge.prompt import PARAPHRASES

    if task not in PARAPHRASES:
        raise JudgeError("--task", found=repr(task), expected=" or ".join(PARAPHRASES))
    wordings = prompts or PARAPHRASES["attributes" if task == "attributes" else "emotion"]
    judges: list[Judge] = []
    for name in names:
        provider = None  # one in memory, with one set of connections, for all wordings
        for confidence in confidences or (Confidence.STATED,):
            for wording in wordings:
                options = replace(asked, name=name, prompt=wording, confidence=confidence)
                judge = make_judge(options, provider=provider)
                provider = judge.provider
                if judges:
                    judge.ledger, judge.spending = judges[0].ledger, judges[0].spending
                judges.append(judge)
    return judges


def labelled(
    rows: "Sequence[Row]",
    labels: "Mapping[str, Label]",
    evidence: "Callable[[Row], Evidence | Unheard | None]",
) -> "list[Labelled]":
    """The rows that have a prediction and a label, with the speaker that either table names."""
    from emojudge.evaluation.labels import label_of
    from emojudge.judge.evidence import Unheard
    from emojudge.judge.tuning import Labelled

    items = []
    for row in rows:
        label = label_of(labels, row.id)
        if label is None or row.prediction is None or (told := evidence(row)) is None:
            continue
        whole = told.heard() if isinstance(told, Unheard) else told  # every one is asked about
        speaker = label.speaker or (row.utterance.speaker if row.utterance else None)
        items.append(Labelled(whole, label.emotion, label.attributes, speaker))
    return items
