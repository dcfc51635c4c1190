"""Tuning a judge on labelled predictions, and measuring honestly whether it helps.

Nothing is tuned and reported on the same items: in every outer fold, an inner cross-validation on the other
folds chooses the model, prompt, gate and decision; what they make of the fold that was left out is what is
reported. The settings that are kept are chosen in the same way on all items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.errors import JudgeError
from emojudge.evaluation.significance import Difference, paired_bootstrap
from emojudge.judge.decision import Decision
from emojudge.judge.fitting import divide
from emojudge.judge.gate import Gate, scores_of
from emojudge.judge.outcomes import Outcomes, Rows
from emojudge.records import Evidence

GATES = tuple(
    map(
        Gate.parse, ("all", "conflict", "margin:0.1", "margin:0.2", "margin:0.4", "budget:0.1", "budget:0.25")
    )
)
KEEP = "keep"  # the choice to change nothing


@dataclass(frozen=True)
class Candidate:
    """One model with one prompt and one source of confidence, and its readings of all items."""

    provider: str
    prompt: str
    outcomes: Outcomes


@dataclass(frozen=True)
class Choice:
    """What was chosen: whose answers, which of them are asked for, and what they change. None: nothing is."""

    candidate: int = 0
    gate: Gate = GATES[0]
    decision: Decision | None = None

    @property
    def name(self) -> str:
        """In words, to count how often the folds agree."""
        if self.decision is None:
            return KEEP
        d = self.decision
        how = f"mix {d.weight:g}" if d.kind == "mix" else f"override {d.threshold:g}"
        return (
            f"{self.gate}, {how}{' calibrated' if d.calibration else ''}{' without prior' if d.prior else ''}"
        )


@dataclass(frozen=True)
class Tuning:
    """What came out: the settings' choice on all items, and what such choices gave on items left out."""

    choice: Choice
    after: NDArray[Any]  # of items left out, `(items, ...)`
    sent: NDArray[np.bool_]  # which of them the gates let through
    difference: Difference
    chosen: tuple[str, ...]  # by fold

    @property
    def helps(self) -> bool:
        """Whether refinement is better beyond noise, and there is something to switch on."""
        return self.difference.better and self.choice.decision is not None


def tune(
    evidences: Sequence[Evidence],
    candidates: Sequence[Candidate],
    *,
    groups: Sequence[str] | None = None,
    gates: Sequence[Gate] = GATES,
    folds: int = 5,
    resamples: int = 2000,
    seed: int = 0,
) -> Tuning:
    """Choose among candidates, gates and decisions, and measure the choice by nested cross-validation.

    Args:
        evidences: the items, in the order of the candidates' readings.
        candidates: whose answers there are.
        groups: one key per item, such as its speaker: no group is on two sides of a division, and the
            interval draws whole groups.
        gates: what is tried; budgets get their cut from the items that they are chosen on.
        folds: of the outer and of the inner division.
        resamples: of the bootstrap.
        seed: of divisions and bootstrap.

    Raises:
        JudgeError: too few items or groups.
        MissingExtraError: scikit-learn is not installed.
    """
    check_division(candidates[0].outcomes.truth, groups, folds, seed)
    search = _Search(evidences, candidates, gates, groups, folds, seed)
    everything = np.arange(len(evidences))
    first = candidates[0].outcomes
    after, sent = first.before.copy(), np.zeros(len(evidences), dtype=bool)
    chosen = []
    for train, test in search.divide(everything):
        choice = search.choose(train)
        chosen.append(choice.name)
        after[test], sent[test] = search.apply(choice, train, test)
    difference = paired_bootstrap(
        first.figure, first.truth, first.before, after, groups=groups, resamples=resamples, seed=seed
    )
    return Tuning(search.final(search.choose(everything)), after, sent, difference, tuple(chosen))


def check_division(truth: NDArray[Any], groups: Sequence[str] | None, folds: int, seed: int = 0) -> None:
    """Check that items with these labels `(items, ...)` can be divided twice: before any answer is paid for.

    Raises:
        JudgeError: too few items or groups.
        MissingExtraError: scikit-learn is not installed.
    """
    if len(truth) < 4 * folds:
        found = f"{len(truth)} labelled utterances"
        raise JudgeError("tuning", found=found, expected=f"at least {4 * folds}, for {folds} folds")
    numbers = _numbers(groups)
    for train, _ in divide(truth, numbers, folds, seed):
        divide(truth[train], None if numbers is None else numbers[train], folds, seed)


def _numbers(groups: Sequence[str] | None) -> NDArray[np.int64] | None:
    return None if groups is None else np.unique(np.array(groups), return_inverse=True)[1]


class _Search:
    """The grid, and what its points give on some items when fitted on others."""

    def __init__(
        self,
        evidences: Sequence[Evidence],
        candidates: Sequence[Candidate],
        gates: Sequence[Gate],
        groups: Sequence[str] | None,
        folds: int,
        seed: int,
    ) -> None:
        self.candidates = candidates
        self.scores = np.stack([scores_of(evidence) for evidence in evidences])
        self.conflicts = np.array([bool(evidence.conflict) for evidence in evidences])
        self.gates = [gate for gate in gates if gate.kind != "conflict" or self.conflicts.any()]
        self.groups = _numbers(groups)
        self.folds = folds
        self.seed = seed

    def divide(self, rows: Rows) -> list[tuple[Rows, Rows]]:
        """Training and test items of each fold."""
        groups = None if self.groups is None else self.groups[rows]
        splits = divide(self.candidates[0].outcomes.truth[rows], groups, self.folds, self.seed)
        return [(rows[train], rows[test]) for train, test in splits]

    def choose(self, rows: Rows) -> Choice:
        """The best point by cross-validation within these items; of equals the one that changes least."""
        first = self.candidates[0].outcomes
        at = np.full(len(self.scores), -1)
        at[rows] = np.arange(len(rows))
        splits = self.divide(rows)
        masks = [
            np.concatenate([self._mask(gate, train, test) for train, test in splits]) for gate in self.gates
        ]
        order = np.concatenate([at[test] for _, test in splits])
        before, truth = first.before[rows][order], first.truth[rows][order]
        best, best_value = Choice(), (first.figure(truth, before), 0)
        for index, candidate in enumerate(self.candidates):
            for decision in candidate.outcomes.decisions():
                after = np.concatenate(
                    [candidate.outcomes.after(candidate.outcomes.fitted(decision, a), b) for a, b in splits]
                )
                if np.array_equal(after, before):
                    continue
                for gate, mask in zip(self.gates, masks, strict=True):
                    refined = _where(mask, after, before)
                    changes = int(np.count_nonzero(_differ(refined, before)))
                    value = (first.figure(truth, refined), -changes)
                    if value > best_value:
                        best, best_value = Choice(index, gate, decision), value
        return best

    def apply(self, choice: Choice, train: Rows, test: Rows) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """What a choice, fitted on `train`, makes of `test`, and what of it is sent."""
        outcomes = self.candidates[choice.candidate].outcomes
        if choice.decision is None:
            return outcomes.before[test], np.zeros(len(test), dtype=bool)
        mask = self._mask(choice.gate, train, test)
        after = outcomes.after(outcomes.fitted(choice.decision, train), test)
        return _where(mask, after, outcomes.before[test]), mask

    def final(self, choice: Choice) -> Choice:
        """The choice, fitted on all items."""
        if choice.decision is None:
            return choice
        outcomes = self.candidates[choice.candidate].outcomes
        decision = outcomes.fitted(choice.decision, np.arange(len(self.scores)))
        return Choice(choice.candidate, choice.gate.tuned(self.scores, self.conflicts), decision)

    def _mask(self, gate: Gate, train: Rows, test: Rows) -> NDArray[np.bool_]:
        tuned = gate.tuned(self.scores[train], self.conflicts[train])
        return tuned.sends(self.scores[test], self.conflicts[test])


def _where(mask: NDArray[np.bool_], after: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
    return np.where(mask if after.ndim == 1 else mask[:, None], after, before)


def _differ(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    different = one != other
    return np.asarray(different if different.ndim == 1 else different.any(axis=1))
