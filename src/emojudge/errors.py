"""The few errors that people meet. Each says where, what was found, what was expected, what to do next."""


class EmojudgeError(Exception):
    """Base of every error that a user can cause and mend.

    >>> raise AudioError("call.wav", found="0 bytes", expected="audio", advice="Copy the file again.")
    Traceback (most recent call last):
    ...
    emojudge.errors.AudioError: call.wav: found 0 bytes; expected audio. Copy the file again.
    """

    def __init__(self, where: object, *, found: str, expected: str, advice: str = "") -> None:
        self.where = str(where)
        self.found = found
        self.expected = expected
        self.advice = advice
        super().__init__(f"{self.where}: found {found}; expected {expected}. {advice}".rstrip())


class AudioError(EmojudgeError):
    """A recording that cannot be decoded or used."""


class TranscriptError(EmojudgeError):
    """A transcript file that cannot be read or does not fit its recording."""


class RecipeError(EmojudgeError):
    """A recipe with an unknown key or a value out of range."""


class BundleError(EmojudgeError):
    """A bundle folder that is incomplete, damaged or of another format version."""


class CorpusError(EmojudgeError):
    """A corpus copy whose files or labels are not as its release has them."""


class TrainingError(EmojudgeError):
    """A training that cannot go on, such as one whose loss is no longer a number."""


class PredictionsError(EmojudgeError):
    """A table of predictions or labels that cannot be read, or two that do not go together."""


class ProviderError(EmojudgeError):
    """A language model that cannot be asked: an unknown name, no key, a missing or damaged model file."""


class JudgeError(EmojudgeError):
    """A judge that cannot be asked: its prompt, provider, settings, ledger or input."""


class ServerError(EmojudgeError):
    """A server that cannot be reached, or what it refuses; `status` is HTTP's, None without an answer."""

    def __init__(
        self, where: object, *, found: str, expected: str, advice: str = "", status: int | None = None
    ) -> None:
        super().__init__(where, found=found, expected=expected, advice=advice)
        self.status = status


class ChallengeError(EmojudgeError):
    """A submission that the challenge would refuse, or a system of the paper that cannot be run."""


class MissingExtraError(EmojudgeError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            feature,
            found="its optional packages missing",
            expected=f"the extra {extra!r}",
            advice=f"Install it with: pip install 'emojudge[{extra}]'",
        )
