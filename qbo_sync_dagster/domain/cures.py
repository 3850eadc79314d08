"""Each action told to the people who choose it: what it does, and what else it must be told.

What belongs here: words, the same for the command line, the Launchpad and the pages. What does
not: what an action does (actions), and which kind allows which (catalogue).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbo_sync_dagster.domain.catalogue import Action


@dataclass(frozen=True, slots=True)
class Cure:
    """What an action does; `target` is what it must be told besides, empty if nothing."""

    effect: str
    target: str = ""


CURES: Mapping[Action, Cure] = {
    Action.RETRY: Cure("Try it again now; the cause is fixed."),
    Action.ACCEPT: Cure("Let QuickBooks' version stand; the difference is kept by name."),
    Action.RE_EXPORT: Cure("Send AlgaPSA's version to QuickBooks in its place."),
    Action.RE_DATE: Cure("Book it on the day after QuickBooks' closing date."),
    Action.VOID: Cure("Void the document in QuickBooks; credit memos are deleted there."),
    Action.ADOPT: Cure(
        "The object in QuickBooks is this record: link the two.",
        "the QuickBooks id, unless the exception names just one",
    ),
    Action.SEND_AGAIN: Cure("QuickBooks does not have it: send it once more."),
    Action.MATCH: Cure(
        "Both sides hold the same money: link the two payments, move nothing.",
        "AlgaPSA's payment id=QuickBooks' payment id, unless just one of each is named",
    ),
    Action.BOTH_REAL: Cure("Both payments are real: apply each as far as its invoice allows."),
    Action.NOT_FROM_ALGAPSA: Cure("The QuickBooks invoice has nothing to do with AlgaPSA."),
    Action.RECORD_REFUND: Cure(
        "The refund is in QuickBooks.", "the QuickBooks id of what records it there"
    ),
    Action.EXPORT: Cure(
        "Send it to QuickBooks with its own date, although that is before go-live."
    ),
    Action.APPLY: Cure("Apply QuickBooks' payment in AlgaPSA.", "the QuickBooks payment's id"),
    Action.PUSH: Cure("Push AlgaPSA's payment to QuickBooks.", "the AlgaPSA payment's id"),
    Action.LINK_CLIENT: Cure("Link the client to a customer.", "the QuickBooks customer's id"),
    Action.LINK_INVOICE: Cure(
        "Link the AlgaPSA invoice and the QuickBooks invoice.",
        "the QuickBooks invoice's id, or for a QuickBooks payment the AlgaPSA invoice's number; "
        "not needed where the exception names it",
    ),
    Action.RECONNECT: Cure("Connect the company again."),
    Action.DISMISS: Cure("Leave it as it is; it comes back only if the record changes."),
}


def word(action: Action) -> str:
    """The action as one word, for the Launchpad and the command line: `send_again`."""
    return str(action).lower().replace(" ", "_").replace("-", "_")
