"""What a recipe takes of its corpora."""

from pathlib import Path

from emojudge.corpora import load_corpus
from emojudge.corpora.splits import holdout
from emojudge.errors import RecipeError
from emojudge.recipe import Source
from emojudge.records import Utterance


def source_split(source: Source, data: Path, name: str) -> list[Utterance]:
    """The utterances that a recipe takes of one of its sources, in a split.

    Args:
        data: the folder that holds the corpora's folders.
        name: "train" or "validation".

    Raises:
        CorpusError: the copy is not as its release has it.
        RecipeError: a split that the corpus does not have.
    """
    options = {"columns": source.columns} if source.columns else {}
    utterances = load_corpus(source.corpus, data / source.folder, **options)
    if source.holdout:
        parts = holdout(utterances, source.holdout, source.holdout_seed)
    else:
        parts = {}
        for utterance in utterances:
            parts.setdefault(utterance.split or "train", []).append(utterance)
    wanted = source.train if name == "train" else source.validation
    for part in wanted:
        if part not in parts:
            raise RecipeError(
                f"{source.corpus}.{name}",
                found=repr(part),
                expected="one of its splits: " + ", ".join(sorted(parts)),
                advice=f"Write `{name}: []` to take nothing from this corpus.",
            )
    return [utterance for part in wanted for utterance in parts.get(part, [])]
