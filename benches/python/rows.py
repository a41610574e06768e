"""The table that is printed and written to `target/bench/NAME.json`: rows as those of `make bench`."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

OUT = Path(__file__).parents[2] / "target" / "bench"


@dataclass
class Row:
    """One figure. `ratio` is value / the peer's value, or the other way round where `bar` says so."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    ratio: float | None = None
    bar: str | None = None
    holds: bool | None = None


class Table:
    """The rows of one program, printed as they come."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def context(self, name: str, value: float, unit: str) -> None:
        """A figure without a bar: a peer's, or one that others are compared with."""
        self._add(Row(name, value, unit))

    def at_most(self, name: str, value: float, unit: str, limit: float) -> None:
        """A figure that must not exceed `limit`."""
        self._add(Row(name, value, unit, bar=f"<= {limit} {unit}", holds=value <= limit))

    def at_least(self, name: str, value: float, unit: str, limit: float) -> None:
        """A figure that must not fall below `limit`."""
        self._add(Row(name, value, unit, bar=f">= {limit} {unit}", holds=value >= limit))

    def times_at_least(self, name: str, value: float, unit: str, peer: str, of: float, limit: float) -> None:
        """A figure that must be at least `limit` times that of its peer."""
        ratio = value / of
        self._add(Row(name, value, unit, peer, ratio, f">= {limit}x", ratio >= limit))

    def times(self, name: str, value: float, unit: str, peer: str, of: float, limit: float) -> None:
        """A figure that may be at most `limit` times that of its peer."""
        ratio = value / of
        self._add(Row(name, value, unit, peer, ratio, f"<= {limit}x", ratio <= limit))

    def write(self, name: str) -> None:
        OUT.mkdir(parents=True, exist_ok=True)
        rows = [asdict(row) for row in self.rows]
        (OUT / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        verdict = {True: "holds", False: "MISSED", None: ""}[row.holds]
        ratio = f"{row.ratio:.2f}x {row.peer}" if row.ratio is not None else ""
        print(f"{row.name:<78} {row.value:>10.3f} {row.unit:<3} {row.bar or '':<12} {verdict:<7}{ratio}")


def added(values: list[float], base: list[float]) -> float:
    """The median of what came on top, round by round: the machine's moods cancel out."""
    return statistics.median(a - b for a, b in zip(values, base, strict=True))


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * len(ordered) * 1000) // 1000) - 1))]
