"""Whether an object found in QuickBooks is the one that we sent, or would send.

QuickBooks has no key of ours on documents and customers: a document is recognised by number and
customer, or by customer, total, date and every line; a customer by its display name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from qbo_sync_dagster.domain.document_view import DocumentView


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


@dataclass(frozen=True, slots=True)
class Findings:
    """What the objects of a poll say about one document: ids that are it, and how many might be.

    A suspect proves nothing and forbids calling the document absent.
    """

    own: tuple[str, ...]
    suspects: int


def find_documents(
    sought: Mapping[int, DocumentIdentity], shown: Mapping[str, DocumentView]
) -> dict[int, Findings]:
    """Which of the live, unlinked objects are the documents sought.

    A number decides before amounts do: two equal invoices of one client differ in nothing else,
    and an object that bears another sought document's number is never this one's.
    """
    numbered = {key: _with_number(identity, shown) for key, identity in sought.items()}
    taken = {object_id for ids in numbered.values() for object_id in ids}
    alike = {
        key: () if numbered[key] else _alike(identity, shown, taken)
        for key, identity in sought.items()
    }
    claims = Counter(object_id for ids in alike.values() for object_id in ids)
    found = {}
    for key, identity in sought.items():
        own = numbered[key] or tuple(item for item in alike[key] if claims[item] == 1)
        others = [item for item in shown if item not in own and item not in taken]
        suspects = sum(_could_be(identity, shown[item]) for item in others)
        found[key] = Findings(own, suspects)
    return found


def _with_number(identity: DocumentIdentity, shown: Mapping[str, DocumentView]) -> tuple[str, ...]:
    return tuple(
        object_id
        for object_id, view in shown.items()
        if view.number == identity.number and view.customer_id == identity.customer_id
    )


def _alike(
    identity: DocumentIdentity, shown: Mapping[str, DocumentView], taken: Collection[str]
) -> tuple[str, ...]:
    return tuple(
        object_id
        for object_id, view in shown.items()
        if object_id not in taken
        and view.customer_id == identity.customer_id
        and view.total_minor == identity.total_minor
        and view.date == identity.date
        and tuple(line.amount_minor for line in view.lines) == identity.line_amounts
    )


def _could_be(identity: DocumentIdentity, view: DocumentView) -> bool:
    # A user may have changed number, date and lines; customer and amount are what is left.
    return view.number == identity.number or (
        view.customer_id == identity.customer_id and view.total_minor == identity.total_minor
    )
