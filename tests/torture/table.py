"""The table of the trials, and its page under results/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.torture.ledger import OUTCOMES


def table(totals: Mapping[str, Counter[str]]) -> str:
    """Return the number of trials and of each outcome by group, as Markdown."""
    head = ["trials", "tried", *OUTCOMES]
    rows = [[name, sum(counts.values()), *(counts[outcome] for outcome in OUTCOMES)] for name, counts in totals.items()]
    columns = list(zip(*(row[1:] for row in rows), strict=True))
    rows.append(["all", *map(sum, columns)])
    lines = [" | ".join(head), "|".join(["---", *["---:"] * (len(head) - 1)])]
    lines += [" | ".join([str(row[0]), *(f"{number:,}" for number in row[1:])]) for row in rows]
    return "\n".join(f"| {line} |" if number != 1 else f"|{line}|" for number, line in enumerate(lines))


def write_results(out, ledger, seed):
    pass
