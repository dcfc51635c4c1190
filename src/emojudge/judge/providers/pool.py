"""Many requests to any provider: as many at once as it bears, each answer kept as it comes."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Answer, Provider, Request
from emojudge.judge.providers.chat import failure
from emojudge.judge.providers.store import Store, settled

Progress = Callable[[int, int], None]  # answers so far, of so many

HOPELESS = frozenset({"401", "402", "403"})  # HTTP statuses after which nobody else need be asked


def ask_all(
    provider: Provider, requests: Sequence[Request], store: Store, progress: Progress | None = None
) -> list[Answer]:
    """The answers to `requests`, in their order; those that the store has are not asked again.

    An answer is in the store before the next request is sent in its place: a kill loses only those under way.
    Errors that may pass are kept as well, and asked again by the next run. Once a server refused the key or
    the account, the rest is answered with that error, unasked.

    Raises:
        ProviderError: one key for two different requests.
    """
    unique = distinct(requests)
    found = {key: a for key, a in store.answers(list(unique)).items() if settled(a)}
    missing = (request for key, request in unique.items() if key not in found)
    if progress is not None:
        progress(len(found), len(unique))
    hopeless: Answer | None = None
    with ThreadPoolExecutor(max_workers=provider.concurrency) as pool:
        under_way: set[Future[Answer]] = set()
        try:
            while True:
                places = provider.concurrency - len(under_way) if hopeless is None else 0
                under_way |= {pool.submit(_ask, provider, request) for request in islice(missing, places)}
                if not under_way:
                    break
                ready, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                answers = [future.result() for future in ready]
                store.keep(answers)
                found.update({answer.key: answer for answer in answers})
                hopeless = hopeless or next((a for a in answers if a.extra.get("status") in HOPELESS), None)
                if progress is not None:
                    progress(len(found), len(unique))
        finally:
            pool.shutdown(cancel_futures=True)
    if hopeless is not None:
        for request in missing:
            error = f"not asked, for another request got: {hopeless.error}"
            found[request.key] = failure(request.key, error, transient=True)
    return [found[request.key] for request in requests]


def _ask(provider: Provider, request: Request) -> Answer:
    try:
        return provider.ask(request)
    except Exception as error:  # a plug-in's fault must not lose the others' answers
        return failure(request.key, f"{provider.name} failed: {error!r}", transient=True)


def distinct(requests: Sequence[Request]) -> dict[str, Request]:
    """The requests by key, in order; equal ones are one.

    Raises:
        ProviderError: one key for two different requests, whose answers could not be told apart.
    """
    unique: dict[str, Request] = {}
    for request in requests:
        if unique.setdefault(request.key, request) != request:
            raise ProviderError(
                f"request {request.key}", found="two different requests of this key", expected="one key each"
            )
    return unique
