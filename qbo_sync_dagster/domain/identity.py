"""Whether an object found in QuickBooks is the one that we sent, or would send.

QuickBooks has no key of ours on documents and customers: a document is recognised by number and
customer, or by customer, total, date and every line; a customer by its display name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from qbo_sync_dagster.domain.document_view import LIVE, DocumentView


@dataclass(frozen=True, slots=True)
class DocumentIdentity:
    """What a document of ours is recognised by; amounts in minor units, date as ISO text."""

    number: str
    customer_id: str
    total_minor: int
    date: str
    line_amounts: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """The identity as a posting stores it."""
        return asdict(self) | {"line_amounts": list(self.line_amounts)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> DocumentIdentity:
        """The identity that a posting stores."""
        return cls(**{**stored, "line_amounts": tuple(stored["line_amounts"])})


def is_ours(identity: DocumentIdentity, view: DocumentView) -> bool:
    """Whether the object is the document, though numbers or totals may have been edited since."""
    if view.state != LIVE or view.customer_id != identity.customer_id:
        return False
    if view.number == identity.number:
        return True
    return (
        view.total_minor == identity.total_minor
        and view.date == identity.date
        and tuple(line.amount_minor for line in view.lines) == identity.line_amounts
    )


def could_be_ours(identity: DocumentIdentity, view: DocumentView) -> bool:
    """Whether the object may be the document, so that its absence is not proven.

    A user may have changed the number and the date; customer and amount are what is left.
    """
    return (
        view.customer_id == identity.customer_id and view.total_minor == identity.total_minor
    ) or view.number == identity.number
