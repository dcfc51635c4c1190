"""Figures of a server for Prometheus; nothing in them tells who was heard or what was said."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "emojudge_requests", "Requests by route and status.", ["route", "status"], registry=registry
        )
        self.latency = Histogram(
            "emojudge_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.queue = Gauge("emojudge_queue_depth", "Recordings waiting or worked on.", registry=registry)
        self.batches = Histogram(
            "emojudge_batch_size",
            "Utterances that were predicted together.",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=registry,
        )
        self.predictions = Counter(
            "emojudge_predictions", "What became of recordings.", ["outcome"], registry=registry
        )
        self.verdicts = Counter("emojudge_verdicts", "What the judge did.", ["status"], registry=registry)
        self.streams = Gauge("emojudge_active_streams", "Live streams.", registry=registry)
        self.jobs = Counter("emojudge_jobs", "Jobs by how they ended.", ["state"], registry=registry)

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)
