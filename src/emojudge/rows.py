"""Results as flat rows: the columns of CSV and Parquet files."""

from typing import Any

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.records import Failure, Opinion, Prediction, Verdict


def row(result: Prediction | Failure) -> dict[str, Any]:
    """A result as a flat row; cells of what there is not are empty."""
    if isinstance(result, Failure):
        return {"id": result.id, "error": result.error}
    cells: dict[str, Any] = {"id": result.id, "emotion": result.emotion}
    cells |= {f"score_{emotion}": score for emotion, score in result.scores.items()}
    cells |= result.attributes.model_dump()
    cells |= {f"{name}_from": origin for name, origin in result.attributes_from.items()}
    for name, opinion in (("audio", result.audio), ("text", result.text)):
        cells |= _opinion_cells(name, opinion) if opinion else {}
    if result.transcript:
        cells |= {"transcript": result.transcript.text, "transcript_source": result.transcript.source}
    return cells | {
        "modalities": "+".join(result.modalities),
        "seconds": result.seconds,
        "adapted": result.adapted,
        "bundle": result.bundle,
        "engine": result.engine,
        "notes": "; ".join(result.notes),
        **(verdict_cells(result.verdict) if result.verdict else {}),
    }


def verdict_cells(verdict: Verdict) -> dict[str, Any]:
    """A verdict's cells; the others of its row stay as the recogniser had them."""
    cells: dict[str, Any] = {"verdict_emotion": verdict.emotion, "verdict_status": verdict.status}
    cells |= {"verdict_proposed": verdict.proposed, "verdict_confidence": verdict.confidence}
    cells |= {
        "verdict_reason": verdict.reason,
        "verdict_provider": verdict.provider,
        "verdict_model": verdict.model,
    }
    cells |= {f"verdict_score_{emotion}": score for emotion, score in verdict.scores.items()}
    attributes = verdict.attributes.model_dump() if verdict.attributes else {}
    cells |= {f"verdict_{name}": attributes.get(name) for name in ATTRIBUTES}
    return cells | {"verdict_notes": "; ".join(verdict.notes)}


def _opinion_cells(name: str, opinion: Opinion) -> dict[str, float]:
    return {
        **{f"{name}_score_{emotion}": score for emotion, score in opinion.scores.items()},
        **{f"{name}_logit_{emotion}": logit for emotion, logit in opinion.logits.items()},
        **{f"{name}_{attribute}": value for attribute, value in opinion.attributes.model_dump().items()},
    }


def _columns() -> list[str]:
    def opinion(name: str) -> list[str]:
        scores = [f"{name}_{kind}_{emotion}" for kind in ("score", "logit") for emotion in EMOTIONS]
        return scores + [f"{name}_{attribute}" for attribute in ATTRIBUTES]

    verdict = ("emotion", "status", "proposed", "confidence", "reason", "provider", "model")
    return [
        *("id", "emotion", *(f"score_{emotion}" for emotion in EMOTIONS)),
        *(*ATTRIBUTES, *(f"{name}_from" for name in ATTRIBUTES)),
        *(*opinion("audio"), *opinion("text")),
        *("modalities", "transcript", "transcript_source", "seconds", "adapted", "bundle", "engine"),
        "notes",
        *(f"verdict_{name}" for name in (*verdict, *(f"score_{emotion}" for emotion in EMOTIONS))),
        *(f"verdict_{name}" for name in (*ATTRIBUTES, "notes")),
        "error",
    ]


COLUMNS = _columns()
