"""The numbers that a proof rests on, as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riemannian_modules.evidence.evidence import TableRow


def proof_csv(rows: Iterable[TableRow]) -> str:
    """Rows (rule, to, from, number), numbers with all their digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rule", "to", "from", "number"])
    writer.writerows([row.rule, row.to, row.source, repr(row.number)] for row in rows)
    return text.getvalue()
