"""Credit notes of ours that QuickBooks applies, against the applications that AlgaPSA shows.

AlgaPSA still holds such a credit and would spend it a second time, so nothing is written there:
either an application of AlgaPSA answers the QuickBooks payment, and the two become one, or the
payment waits. Credit memos that are not linked are QuickBooks' own and come in as payments.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.credits import CreditParts

CREDIT_NOTE = "credit_note"
# Combinations grow fast, and no bookkeeper uses one credit in more parts on one invoice.
_MOST_PARTS = 12


@dataclass(frozen=True, slots=True)
class CreditUse:
    """A live QuickBooks payment that takes from credit notes of ours.

    `on_invoices` are its amounts on linked invoices and `from_notes` those from linked credit
    memos, by AlgaPSA's ids of both, in minor units.
    """

    payment_id: str
    on_invoices: Mapping[str, int]
    from_notes: Mapping[str, int]

    @property
    def is_one_to_one(self) -> bool:
        """Whether it brings one note to one invoice and nothing else."""
        return len(self.on_invoices) == len(self.from_notes) == 1 and sum(
            self.on_invoices.values()
        ) == sum(self.from_notes.values())


@dataclass(frozen=True, slots=True)
class Dispute:
    """One note that both sides applied, each in its own way."""

    note_id: str
    uses: tuple[CreditUse, ...]
    applications: tuple[CreditApplication, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the uses and the applications say together.

    `answers` are the applications that each payment turns out to be; `open` the payments that no
    application answers and `disputes` the notes on which such a payment meets another application.
    """

    answers: Mapping[str, tuple[CreditApplication, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    open: tuple[CreditUse, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    def is_disputed(self, payment_id: str) -> bool:
        """Whether the payment stands under the exception of a note."""
        return any(use.payment_id == payment_id for each in self.disputes for use in each.uses)


def read_uses(uses: Iterable[CreditUse], applications: Iterable[CreditApplication]) -> Reading:
    """Pair uses with applications that have no counterpart yet, and tell what is left of both.

    The same note on the same invoices comes first. Then another note: AlgaPSA chooses by itself
    which note it draws on, and the invoice is settled by the same amount.
    """
    free = [each for each in applications if each.source_type == CREDIT_NOTE]
    answers: dict[str, tuple[CreditApplication, ...]] = {}
    waiting = sorted(uses, key=lambda use: (len(use.payment_id), use.payment_id))
    for pairing in (_same_note, _other_note):
        for use in waiting:
            if use.payment_id not in answers and (found := pairing(use, free)):
                answers[use.payment_id] = found
                free = [each for each in free if each not in found]
    still = tuple(use for use in waiting if use.payment_id not in answers)
    return Reading(MappingProxyType(answers), still, tuple(_disputes(still, free)))


def _same_note(
    use: CreditUse, free: Sequence[CreditApplication]
) -> tuple[CreditApplication, ...] | None:
    return next(_same_notes(use, sorted(use.from_notes.items()), free, Counter()), None)


def _same_notes(
    use: CreditUse,
    notes: Sequence[tuple[str, int]],
    free: Sequence[CreditApplication],
    taken: Counter[str],
) -> Iterator[tuple[CreditApplication, ...]]:
    """Every way to make up each note's amount without overfilling an invoice of the payment."""
    if not notes:
        yield ()
        return
    (note_id, minor), *others = notes
    candidates = [
        each
        for each in free
        if each.source_invoice_id == note_id and each.invoice_id in use.on_invoices
    ]
    for parts in _making(minor, candidates):
        together = taken + Counter(_per_invoice(parts))
        if any(minor > use.on_invoices[invoice] for invoice, minor in together.items()):
            continue
        for rest in _same_notes(use, others, free, together):
            yield (*parts, *rest)


def _other_note(
    use: CreditUse, free: Sequence[CreditApplication]
) -> tuple[CreditApplication, ...] | None:
    if not use.is_one_to_one:
        return None
    ((invoice_id, minor),) = use.on_invoices.items()
    candidates = [each for each in free if each.invoice_id == invoice_id]
    return next(_making(minor, candidates), None)


def _making(
    minor: int, candidates: Sequence[CreditApplication]
) -> Iterator[tuple[CreditApplication, ...]]:
    """Every set of applications that comes to the amount, the smallest sets first."""
    considered = candidates[:_MOST_PARTS]
    for size in range(1, len(considered) + 1):
        for parts in combinations(considered, size):
            if sum(each.minor for each in parts) == minor:
                yield parts


def _per_invoice(parts: Iterable[CreditApplication]) -> dict[str, int]:
    nets: defaultdict[str, int] = defaultdict(int)
    for each in parts:
        nets[each.invoice_id] += each.minor
    return dict(nets)


def _disputes(uses: Sequence[CreditUse], free: Sequence[CreditApplication]) -> Iterator[Dispute]:
    by_note: defaultdict[str, list[CreditApplication]] = defaultdict(list)
    for each in free:
        if each.source_invoice_id:
            by_note[each.source_invoice_id].append(each)
    for note_id in sorted({note for use in uses for note in use.from_notes}):
        if note_id in by_note:
            of_note = tuple(use for use in uses if note_id in use.from_notes)
            yield Dispute(note_id, of_note, tuple(by_note[note_id]))


def carried(use: CreditUse, parts: Sequence[CreditParts]) -> tuple[CreditUse, tuple[int, ...]]:
    """What is left of a payment beside the applications it stands for.

    With the positions of those parts that it lacks.
    One that was paired before its memo was linked takes from an invoice alone.
    """
    on_invoices, from_notes = Counter(use.on_invoices), Counter(use.from_notes)
    lost = []
    for position, each in enumerate(parts):
        takes_note = each.note_id in use.from_notes
        if on_invoices[each.invoice_id] < each.minor or (
            takes_note and from_notes[each.note_id] < each.minor
        ):
            lost.append(position)
            continue
        on_invoices[each.invoice_id] -= each.minor
        from_notes[each.note_id] -= each.minor if takes_note else 0
    return CreditUse(use.payment_id, +on_invoices, +from_notes), tuple(lost)


def without_accepted(use: CreditUse, note_ids: Collection[str]) -> CreditUse:
    """What is left of a payment once staff accepted that it used these notes its own way.

    Where it pays several invoices, those first in order of their ids are what the credit settled.
    """
    on_invoices = Counter(use.on_invoices)
    accepted = sum(minor for note, minor in use.from_notes.items() if note in note_ids)
    for invoice_id in sorted(on_invoices):
        taken = min(accepted, on_invoices[invoice_id])
        on_invoices[invoice_id] -= taken
        accepted -= taken
    others = {note: minor for note, minor in use.from_notes.items() if note not in note_ids}
    return CreditUse(use.payment_id, +on_invoices, others)


@dataclass(frozen=True, slots=True)
class OpenCredit:
    """Credit of a note that a QuickBooks payment uses and that AlgaPSA still shows open."""

    note_id: str
    note_number: str
    minor: int


@dataclass(frozen=True, slots=True)
class CreditVerdict:
    """What a payment's credit lines mean for AlgaPSA.

    `answered` is what AlgaPSA's own applications already show of it, per AlgaPSA invoice: the
    payment wants that much less. `open` makes it wait, under the note's own exception where it
    is `disputed`. `lost` names the applications of AlgaPSA that it carried and carries no more.
    """

    answered: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    open: tuple[OpenCredit, ...] = ()
    disputed: bool = False
    lost: tuple[CreditApplication, ...] = ()


NO_CREDIT = CreditVerdict()
