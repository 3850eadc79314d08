"""The convergent write of a QuickBooks payment: what it wants against what stands in AlgaPSA.

One function serves a new payment, an edit, a void, an unapply, a deletion, a replay after a crash
and a restored backup: it gives the difference as rows to append. Loading and writing are not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from qbo_sync_dagster.domain import payment_ids
from qbo_sync_dagster.domain.money import has_cents
from qbo_sync_dagster.domain.payment_plan import (
    Capped,
    CapReason,
    PaymentPlan,
    PaymentRow,
    StalePlan,
    StatusChange,
)
from qbo_sync_dagster.domain.payment_refusals import (
    Refusal,
    RefusalKind,
    RefusalReason,
    Withheld,
)
from qbo_sync_dagster.domain.payment_standing import (
    NO_DECISIONS,
    InvoiceState,
    PaymentDecisions,
    RowKind,
    StandingRow,
)
from qbo_sync_dagster.domain.payment_status import status_after
from qbo_sync_dagster.domain.payment_wanted import WantedPayment
from qbo_sync_dagster.domain.same_money import LocalMoney, twin


@dataclass(frozen=True, slots=True)
class _Position:
    """The payment on one invoice: asked by QuickBooks, target after caps, standing now."""

    invoice_id: str
    state: InvoiceState | None
    asked: int
    target: int
    standing: int
    live: tuple[StandingRow, ...]
    is_redated: bool
    cap: CapReason | None

    @property
    def takes_back(self) -> bool:
        return self.target < self.standing

    @property
    def adds(self) -> bool:
        return self.target > self.standing

    @property
    def differs(self) -> bool:
        return self.target != self.standing or self.is_redated

    @property
    def kept(self) -> int:
        """What stays once the live rows are reversed: zero, unless AlgaPSA lost a reversed row."""
        return self.standing - sum(row.minor for row in self.live)

    @property
    def room(self) -> int:
        return self.state.room_minor(self.standing) if self.state else 0


def plan_payment(
    wanted: WantedPayment,
    standing: Sequence[StandingRow],
    invoices: Mapping[str, InvoiceState],
    decisions: PaymentDecisions = NO_DECISIONS,
) -> PaymentPlan | StalePlan:
    """What to append to AlgaPSA so that it shows of this payment what QuickBooks holds.

    `standing` are all rows of the payment and `invoices` the states of every invoice that
    the payment pays or paid, both read under the locks. A payment that meets a guard waits whole,
    but what QuickBooks no longer holds is taken back first. Rows are only ever appended.
    """
    if stale := _overtaken(wanted, standing):
        return stale
    standing = _as_matched(standing, decisions)
    positions = _positions(wanted, standing, invoices, decisions)
    if reasons := _matched_reasons(positions, standing, decisions):
        return PaymentPlan(refusal=Refusal(reasons, _withheld(positions, ())))
    reasons = _unknown_reasons(wanted) + (
        _credit_reasons(wanted) or _guard_reasons(wanted, positions, decisions)
    )
    moved = [each for each in positions if each.takes_back or (each.differs and not reasons)]
    rows = _rows(wanted, standing, moved)
    return _plan(positions, rows, reasons)


def _overtaken(wanted: WantedPayment, standing: Sequence[StandingRow]) -> StalePlan | None:
    ours = [row for row in standing if row.kind is not RowKind.MATCHED]
    newest = max((row.version for row in ours), default=-1)
    was_deleted = any(row.records_deletion for row in ours)
    if wanted.is_deleted or not (was_deleted or newest > wanted.version):
        return None
    return StalePlan(wanted.payment_id, wanted.version, newest)


def _as_matched(
    standing: Sequence[StandingRow], decisions: PaymentDecisions
) -> tuple[StandingRow, ...]:
    """A matched row stands for what was left of it then: AlgaPSA's reversals are its own."""
    return tuple(
        replace(row, minor=row.minor - decisions.taken_before.get(row.row_id, 0))
        if row.kind is RowKind.MATCHED
        else row
        for row in standing
    )


def _positions(
    wanted: WantedPayment,
    standing: Sequence[StandingRow],
    invoices: Mapping[str, InvoiceState],
    decisions: PaymentDecisions,
) -> list[_Position]:
    asked = wanted.per_invoice()
    standing = [row for row in standing if not row.takes_own]
    reversed_rows = {row.reverses for row in standing if row.kind is RowKind.REVERSAL}
    found = []
    for invoice_id in sorted({*asked, *(row.invoice_id for row in standing)}):
        rows = [row for row in standing if row.invoice_id == invoice_id]
        live = [
            row
            for row in rows
            if row.row_id not in reversed_rows
            and (row.kind is RowKind.PAYMENT or (row.kind is RowKind.MATCHED and decisions.follows))
        ]
        state, net = invoices.get(invoice_id), sum(row.minor for row in rows)
        target, cap = _target(wanted, asked.get(invoice_id, 0), state, net, decisions)
        moved_day = (row.kind is RowKind.PAYMENT and row.date != wanted.date for row in live)
        is_redated = any(moved_day) and target == net > 0
        found.append(
            _Position(
                invoice_id,
                state,
                asked.get(invoice_id, 0),
                target,
                net,
                tuple(live),
                is_redated,
                cap,
            )
        )
    return found


def _target(
    wanted: WantedPayment,
    asked: int,
    state: InvoiceState | None,
    standing: int,
    decisions: PaymentDecisions,
) -> tuple[int, CapReason | None]:
    """What should stand on the invoice, capped only where a decision names the rest."""
    if state is None:
        return asked, None
    if not _same_currency(wanted, state):
        return 0, None
    room = state.room_minor(standing)
    over = asked - room
    if over > 0 and state.invoice_id in decisions.both_real:
        return room, CapReason.OVERPAID
    if 0 < over <= decisions.accepted_difference.get(state.invoice_id, 0):
        return room, CapReason.ACCEPTED_DIFFERENCE
    return asked, None


def _same_currency(wanted: WantedPayment, state: InvoiceState) -> bool:
    # AlgaPSA keeps 1/100 of any currency, so one without cents would be wrong by a factor.
    return has_cents(state.currency) and wanted.currency in {None, state.currency}


def _matched_reasons(
    positions: Iterable[_Position], standing: Sequence[StandingRow], decisions: PaymentDecisions
) -> tuple[RefusalReason, ...]:
    """A matched payment that changed on either side: a person decides, nothing moves by itself."""
    if not decisions.matched_rows or decisions.follows:
        return ()
    matched = [row for row in standing if row.kind is RowKind.MATCHED]
    is_missing = {row.row_id for row in matched} != set(decisions.matched_rows)
    touched = {row.invoice_id for row in matched}
    return tuple(
        _reason(RefusalKind.MATCHED_CHANGED, each)
        for each in positions
        if is_missing or (each.invoice_id in touched and each.asked != each.standing)
    )


def _unknown_reasons(wanted: WantedPayment) -> tuple[RefusalReason, ...]:
    unknown = () if wanted.gone else wanted.unknown_lines
    return tuple(
        RefusalReason(RefusalKind.UNKNOWN_INVOICE, each.invoice_id, wanted_minor=each.minor)
        for each in unknown
    )


def _credit_reasons(wanted: WantedPayment) -> tuple[RefusalReason, ...]:
    """Credit notes of ours that it uses, or used: AlgaPSA would spend that credit a second time."""
    lost = tuple(
        RefusalReason(
            RefusalKind.CREDIT_CHANGED,
            each.invoice_id,
            each.invoice_number,
            wanted_minor=each.minor,
        )
        for each in wanted.credit.lost
    )
    if wanted.gone:
        return lost
    kind = RefusalKind.CREDIT_DISPUTED if wanted.credit.disputed else RefusalKind.CREDIT_STILL_OPEN
    return lost + tuple(
        RefusalReason(kind, each.note_id, each.note_number, wanted_minor=each.minor)
        for each in wanted.credit.open
    )


def _guard_reasons(
    wanted: WantedPayment, positions: Iterable[_Position], decisions: PaymentDecisions
) -> tuple[RefusalReason, ...]:
    kinds = ((each, _guard(wanted, each, decisions)) for each in positions)
    return tuple(_reason(kind, each, _twin(each, decisions)) for each, kind in kinds if kind)


def _guard(
    wanted: WantedPayment, position: _Position, decisions: PaymentDecisions
) -> RefusalKind | None:
    """The first thing that keeps new money off the invoice; None where none is added."""
    state = position.state
    if state and position.asked and not _same_currency(wanted, state):
        return RefusalKind.CURRENCY
    if not position.adds:
        return None
    if state is None or not state.is_payable:
        return RefusalKind.NOT_PAYABLE
    if state.has_prepaid_replenishment:
        return RefusalKind.PREPAID_REPLENISHMENT
    if state.invoice_id in decisions.open_difference:
        return RefusalKind.TOTAL_DIFFERENCE
    if position.target > position.room:
        return RefusalKind.SETTLED
    return RefusalKind.SAME_MONEY if _twin(position, decisions) else None


def _twin(position: _Position, decisions: PaymentDecisions) -> LocalMoney | None:
    if position.state is None or position.invoice_id in decisions.both_real:
        return None
    # A cheque typed as a raise of an older payment is the same money by its increase.
    amounts = {position.asked, position.asked - position.standing}
    return twin(amounts, position.state.local_money, decisions.with_counterpart)


def _reason(
    kind: RefusalKind, position: _Position, found: LocalMoney | None = None
) -> RefusalReason:
    state = position.state
    if state is None:
        return RefusalReason(kind, position.invoice_id, wanted_minor=position.asked)
    return RefusalReason(
        kind,
        position.invoice_id,
        state.number,
        state.status,
        state.currency,
        wanted_minor=position.asked,
        room_minor=position.room,
        twin=found,
    )


def _rows(
    wanted: WantedPayment, standing: Sequence[StandingRow], moved: Iterable[_Position]
) -> tuple[PaymentRow, ...]:
    """Reversals of what differs, then what is wanted, invoice by invoice in id order."""
    version = max([wanted.version, *(row.version for row in standing)])
    ours = sum(row.kind is not RowKind.MATCHED for row in standing)
    rows: list[PaymentRow] = []
    for position in moved:
        for row in position.live:
            rows.append(_reversal(wanted, row, version, ours + len(rows)))
        if minor := position.target - position.kept:
            rows.append(_payment(wanted, position.invoice_id, minor, version, ours + len(rows)))
    return tuple(rows)


def _payment(
    wanted: WantedPayment, invoice_id: str, minor: int, version: int, sequence: int
) -> PaymentRow:
    row_id = payment_ids.row_id(
        wanted.realm, wanted.payment_id, invoice_id, RowKind.PAYMENT, sequence
    )
    return PaymentRow(
        row_id,
        payment_ids.transaction_id(row_id),
        invoice_id,
        RowKind.PAYMENT,
        minor,
        wanted.date,
        version,
    )


def _reversal(wanted: WantedPayment, row: StandingRow, version: int, sequence: int) -> PaymentRow:
    row_id = payment_ids.row_id(
        wanted.realm, wanted.payment_id, row.invoice_id, RowKind.REVERSAL, sequence
    )
    return PaymentRow(
        row_id,
        payment_ids.transaction_id(row_id),
        row.invoice_id,
        RowKind.REVERSAL,
        -row.minor,
        row.date,
        version,
        reverses=row.row_id,
        reverses_transaction=payment_ids.transaction_id(row.row_id),
    )


def _plan(
    positions: Sequence[_Position],
    rows: tuple[PaymentRow, ...],
    reasons: tuple[RefusalReason, ...],
) -> PaymentPlan:
    statuses = tuple(_statuses(positions, rows))
    settled = {change.invoice_id for change in statuses if change.status == "paid"}
    return PaymentPlan(
        rows,
        statuses,
        tuple(
            Capped(each.invoice_id, each.asked - each.target, each.cap)
            for each in positions
            if each.cap
        ),
        Refusal(reasons, _withheld(positions, rows)) if reasons else None,
        tuple(
            each.invoice_id
            for each in positions
            if each.invoice_id in settled and each.state and each.state.has_active_payment_link
        ),
    )


def _written(rows: Iterable[PaymentRow], invoice_id: str) -> int:
    return sum(row.minor for row in rows if row.invoice_id == invoice_id)


def _statuses(positions: Iterable[_Position], rows: Sequence[PaymentRow]) -> Iterable[StatusChange]:
    touched = {row.invoice_id for row in rows}
    for each in positions:
        if each.state and each.invoice_id in touched:
            status = status_after(each.state, _written(rows, each.invoice_id))
            if status != each.state.status:
                yield StatusChange(each.invoice_id, status)


def _withheld(positions: Iterable[_Position], rows: Sequence[PaymentRow]) -> tuple[Withheld, ...]:
    """Every cent that QuickBooks holds, no cap names, and AlgaPSA will not show yet."""
    missing = (
        (
            each,
            (each.target if each.cap else each.asked)
            - each.standing
            - _written(rows, each.invoice_id),
        )
        for each in positions
    )
    return tuple(Withheld(each.invoice_id, minor) for each, minor in missing if minor)
