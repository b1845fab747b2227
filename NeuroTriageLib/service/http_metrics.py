"""Figures for Prometheus, counted in the ledger when they are asked for: no patient, no study, no exam by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .ledger import ExamState, Ledger, SendState
from .worklist import counts_by_state

# Upper ends of the histograms' bars, seconds: from a compact model on a small CT to an exam that waited a night (ours).
READING_S = (5, 10, 20, 40, 60, 120, 300, 600, 1800)
WAITING_S = (10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600)


class LedgerCollector(Collector):
    """Counts on each request; a scrape every 15 seconds costs some milliseconds.

    Args:
        ledger: the node's memory.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        yield self._exams()
        yield from self._waiting()
        yield self._images()
        yield self._histogram("reading", "From the start of the last try to the answer", "started_at", READING_S)
        yield self._histogram("waiting", "From the last image to the answer", "last_image_at", WAITING_S)
        yield self._sending("delivery", "destination", "Result objects, by destination and state")
        yield self._sending("notice", "listener", "Notices of findings, by listener and state")
        yield self._disk()

    def _exams(self) -> Metric:
        family = GaugeMetricFamily("neurotriage_exams", "Exams, by state", labels=["state"])
        counts = counts_by_state(self._ledger)
        for state in get_args(ExamState):
            family.add_metric([state], counts.get(state, 0))
        return family

    def _waiting(self) -> Iterator[Metric]:
        (row,) = self._ledger.rows(
            "SELECT MIN(complete_at) AS oldest, COALESCE(SUM(tries), 0) AS tries FROM exam"
            " WHERE state IN ('queued', 'reading')"
        )
        oldest = 0.0 if row["oldest"] is None else max(self._ledger.now() - row["oldest"], 0.0)
        yield GaugeMetricFamily("neurotriage_oldest_waiting_seconds", "Age of the oldest unread exam", value=oldest)
        yield GaugeMetricFamily("neurotriage_failed_tries", "Failed tries of the unread exams", value=row["tries"])

    def _images(self) -> Metric:
        (row,) = self._ledger.rows("SELECT COUNT(*) AS n, COALESCE(SUM(bytes), 0) AS bytes FROM image")
        family = GaugeMetricFamily("neurotriage_images", "Images that the node keeps", labels=["unit"])
        family.add_metric(["count"], row["n"])
        family.add_metric(["bytes"], row["bytes"])
        return family

    def _histogram(self, name: str, text: str, begin: str, ends_s: tuple[float, ...]) -> Metric:
        """Exams that took up to so many seconds to their answer."""
        columns = ", ".join(f"COALESCE(SUM(answered_at - {begin} <= {end}), 0)" for end in ends_s)
        (row,) = self._ledger.rows(
            f"SELECT {columns}, COUNT(*), COALESCE(SUM(answered_at - {begin}), 0.0)"
            f" FROM exam WHERE answered_at IS NOT NULL AND {begin} IS NOT NULL"
        )
        *counts, total, seconds = tuple(row)
        bars = [(str(float(end)), count) for end, count in zip(ends_s, counts, strict=True)]
        return HistogramMetricFamily(
            f"neurotriage_{name}_seconds", text, buckets=[*bars, ("+Inf", total)], sum_value=seconds
        )

    def _sending(self, table: str, label: str, text: str) -> Metric:
        family = GaugeMetricFamily(f"neurotriage_{table}", text, labels=[label, "state"])
        rows = self._ledger.rows(f"SELECT {label} AS name, state, COUNT(*) AS n FROM {table} GROUP BY 1, 2")
        counts = {(row["name"], row["state"]): row["n"] for row in rows}
        for name in sorted({name for name, _ in counts}):
            for state in get_args(SendState):
                family.add_metric([name, state], counts.get((name, state), 0))
        return family

    def _disk(self) -> Metric:
        free = shutil.disk_usage(self._ledger.path.parent).free
        return GaugeMetricFamily("neurotriage_disk_free_bytes", "Free space of the data folder", value=free)


class RefusedRequests(Collector):
    """Requests that were refused since the node was started, by status; counted where they are answered."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def note(self, status: int) -> None:
        """One more."""
        self._counts[status] = self._counts.get(status, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """The figure."""
        family = CounterMetricFamily("neurotriage_http_refused", "Refused requests, by status", labels=["status"])
        for status, count in sorted(self._counts.items()):
            family.add_metric([str(status)], count)
        yield family


def metrics_text(*collectors: Collector) -> bytes:
    """What Prometheus reads (text format 0.0.4)."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry)
