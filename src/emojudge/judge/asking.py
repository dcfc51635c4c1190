"""Getting answers: from the ledger where they are, else from the provider, several at once, within a cost."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Self

from emojudge.errors import JudgeError
from emojudge.judge.costs import Prices, Spending
from emojudge.judge.exchange import Answer, Provider, Request
from emojudge.judge.ledger import Ledger
from emojudge.judge.providers.batch import Batches
from emojudge.judge.providers.chat import failure
from emojudge.judge.providers.cost import BATCH_RATE, estimate
from emojudge.judge.providers.store import SqliteStore

HOPELESS = frozenset({"401", "402", "403"})  # HTTP statuses after which nobody else need be asked
IN_A_ROW = 20  # errors one after the other, after which no more is asked


class Asking:
    """The provider's counter, open as a context. On leaving, what is under way is waited for and kept."""

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        prompt: str,
        spending: Spending,
        prices: Prices,
    ) -> None:
        self.provider = provider
        self.ledger = ledger
        self.spending = spending
        self.from_ledger = 0
        self._prompt = prompt
        self._prices = prices
        self._brought: dict[str, Answer] = {}  # answers of a batch, errors among them, by key
        self._errors = 0  # in a row
        self._last_error = ""
        self._lock = Lock()
        self._under_way: dict[str, Future[Answer]] = {}
        several = provider.concurrency > 1
        self._pool = ThreadPoolExecutor(provider.concurrency, "judge") if several else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def ask(self, request: Request) -> Answer | Future[Answer] | str:
        """The answer, or one to come, or why it is not asked for."""
        with self._lock:
            if request.key in self._under_way:  # two utterances of the same words and voice
                return self._under_way[request.key]
        known = self.ledger.answered(request.key)
        if known is not None:
            self.from_ledger += 1
            return known
        if request.key in self._brought:
            return self._brought[request.key]
        if self._errors >= IN_A_ROW:
            return f"not sent: requests before it had failed, the last with {self._last_error}"
        most = self._most(request)
        if not self.spending.allows(most):
            return f"not sent: the cost limit of ${self.spending.limit:g} is reached"
        if self._pool is None:
            return self._ask(request, 0.0)
        with self._lock:
            self.spending.reserved += most
            future = self._pool.submit(self._ask, request, most)
            self._under_way[request.key] = future
        return future

    def bring(self, requests: Sequence[Request]) -> None:
        """Have those that the ledger does not know answered by the provider's Batch API, and written down.

        Raises:
            JudgeError: they may cost more than may be spent.
        """
        unique = {request.key: request for request in requests}
        missing = [request for key, request in unique.items() if self.ledger.answered(key) is None]
        if self.spending.limit is not None:
            most = estimate(missing, self.provider.capabilities, batch=True).dollars or 0.0  # type: ignore[attr-defined]
            if not self.spending.allows(most):
                found = f"{len(missing)} requests that may cost ${most:.2f}"
                raise JudgeError("batch", found=found, expected=f"at most ${self.spending.limit:g}")
        store = SqliteStore(self.ledger.path or ":memory:")  # in the ledger's file
        try:
            answers = Batches(self.provider, store).ask_all(missing)  # type: ignore[arg-type]
        finally:
            store.close()
        for request, answer in zip(missing, answers, strict=True):
            self.spending.spent += self._keep(request, answer, BATCH_RATE)
        self._brought |= {answer.key: answer for answer in answers}

    def _keep(self, request: Request, answer: Answer, rate: float = 1.0) -> float:
        """Write an answer down; what it has cost, US dollars, as far as that is known."""
        cost = self._prices.paid(answer.usage)
        about = {"provider": self.provider.name, "model": self.provider.model, "prompt": self._prompt}
        self.ledger.keep(request, answer, None if cost is None else cost * rate, **about)
        return (cost or 0.0) * rate

    def _most(self, request: Request) -> float:
        """What may become of the limit, if there is one."""
        cost = None if self.spending.limit is None else self._prices.most(request)
        return (cost and cost.dollars) or 0.0

    def _ask(self, request: Request, reserved: float) -> Answer:
        """Ask, and write the answer down before anything else happens."""
        try:
            answer = self.provider.ask(request)
        except Exception as error:  # a plug-in's fault must not lose the others' answers
            answer = failure(request.key, f"{self.provider.name} failed: {error!r}", transient=True)
        cost = self._keep(request, answer)
        with self._lock:
            self.spending.spent += cost
            self.spending.reserved -= reserved
            hopeless = answer.extra.get("status") in HOPELESS  # the key or the account is refused
            self._errors = IN_A_ROW if hopeless else self._errors + 1 if answer.error is not None else 0
            self._last_error = answer.error or ""
            self._under_way.pop(request.key, None)
        return answer
