"""What the ledger says stands between both sides' books: each step with its record and amount.

Belongs here: splitting a difference into steps (what QuickBooks shows now, what the ledger last
saw there, what was agreed on, what AlgaPSA shows now), each with the amount that its own record
has, never with what is left over, and what names the step. Does not: the figures themselves.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.year.books import Books, Component, payment_lines
from benchmarks.year.provider import Company, Provider

_NAMES = """
    SELECT 'exception ' || kind AS name, record, '' AS counterpart, 0 AS minor FROM exceptions
    WHERE realm = :realm AND state IN ('open', 'dismissed')
    UNION ALL
    SELECT 'operation ' || kind || ' ' || state, record_id, '', 0 FROM operations
    WHERE realm = :realm AND state IN ('queued', 'held', 'errored', 'posting')
    UNION ALL
    SELECT 'decision ' || kind, record, counterpart, amount_minor FROM decisions
    WHERE realm = :realm
"""
_MENTIONED = """
    SELECT kind, records FROM exceptions WHERE realm = :realm AND state IN ('open', 'dismissed')
"""
_CHANGES = """
    SELECT DISTINCT ON (object_id) object_id, state, deleted, payload FROM inbound_changes
    WHERE realm = :realm AND entity = 'Payment'
    ORDER BY object_id, deleted DESC, version DESC
"""
_WAITS = frozenset({"received", "parked"})
_PUSHED = frozenset({"exported", "adopted"})
_ACCEPTED = "accepted difference"
_DRIFT = ("exception drift_", "operation update_document", "exception closed_period")
_CHANGED = (
    *("exception changed_in_algapsa", "exception reopened_in_algapsa", "exception void"),
    *("exception deleted_in_algapsa", "exception closed_period", "operation update_document"),
    *("operation void_document", "exception orphan"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a difference, in cents that QuickBooks has more, and what names it."""

    what: str
    minor: int
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """A difference and its steps."""

    component: Component
    steps: tuple[Step, ...]

    @property
    def unnamed(self) -> tuple[Step, ...]:
        """The steps that no record names."""
        return tuple(step for step in self.steps if not step.names)

    @property
    def residual(self) -> int:
        """What the named steps leave over, in cents."""
        named = sum(step.minor for step in self.steps if step.names)
        return self.component.difference - named

    @property
    def is_explained(self) -> bool:
        """Whether each step has a name and together they are the difference."""
        return not self.unnamed and not self.residual

    def __str__(self) -> str:
        told = ", ".join(f"{step.what} {step.minor}" for step in self.unnamed)
        return f"{self.component}, residual {self.residual}{f' ({told})' if told else ''}"


def judged(provider: Provider, company: Company) -> list[Judged]:
    """Every difference of a company's books with what names it."""
    books = Books(provider, company)
    components = books.components()
    ledger = _Ledger(provider, books, components)
    found = [Judged(each, tuple(ledger.steps(each))) for each in components]
    return [each for each in found if each.steps or each.component.difference]


class _Ledger:
    """What the ledger has on record of one company."""

    def __init__(self, provider: Provider, books: Books, components: Iterable[Component]) -> None:
        realm = books.realm
        self._books = books
        self._names: dict[str, set[str]] = defaultdict(set)
        self._minor: dict[tuple[str, str], int] = {}
        for row in provider.ledger_rows(_NAMES, realm=realm):
            for record in {row.record, row.counterpart} - {""}:
                identity = record.partition(":")[2] if ":" in record else record
                for key in {record, identity}:
                    self._names[key].add(row.name)
                self._minor[row.name, identity] = row.minor
        self._mentioned: dict[str, set[str]] = defaultdict(set)
        for row in provider.ledger_rows(_MENTIONED, realm=realm):
            for each in row.records:
                self._mentioned[each["id"]].add(f"exception {row.kind}")
        self._changes = {row.object_id: row for row in provider.ledger_rows(_CHANGES, realm=realm)}
        self._documents = {
            link.algapsa_id: link for link in books.links if link.kind in ("invoice", "credit_memo")
        }
        self._spare = {link.algapsa_id: link.accepted_minor for link in self._documents.values()}

        entered = {link.quickbooks_id for link in books.links if link.kind == "payment"}
        self._own: dict[str, int] = defaultdict(int)
        self._refunded: dict[str, int] = defaultdict(int)
        for each in components:
            if each.kind == "payment" and each.record in each.rows and each.algapsa < 0:
                self._refunded[each.document] -= each.algapsa + self._recorded(each)
            if each.kind == "payment" and (each.record in each.rows or each.record in entered):
                self._own[each.document] += each.difference

    def steps(self, component: Component) -> Iterator[Step]:
        """The steps of a component that are not zero."""
        found: Iterable[Step] = _STEPS[component.kind](self, component)
        return (step for step in found if step.minor)

    def total(self, component: Component) -> Iterator[Step]:
        """A linked document: what was changed there, what was accepted, what was changed here."""
        link = self._documents[component.record]
        if link.state == "accepted":
            yield from self._given_up(component, link)
            return
        agreed = int((link.snapshot or link.shown or {}).get("total_minor", 0))
        shown = int((link.shown or link.snapshot or {}).get("total_minor", 0))
        yield Step("unseen in QuickBooks", component.quickbooks - shown, frozenset())
        drift = shown - agreed
        changed = agreed - link.difference_minor - component.algapsa
        # The same change on both sides, such as a void, leaves nothing to tell.
        if drift + changed:
            yield Step("drift", drift, self._of([component.record], *_DRIFT))
            told = self._of([component.record], *_CHANGED)
            yield Step("changed in AlgaPSA", changed, told)
        open_part = link.difference_minor - link.accepted_minor
        told = self._of([component.record], "exception total_difference", *_DRIFT)
        yield Step("total difference", open_part, told)
        yield Step("accepted", link.accepted_minor, frozenset({_ACCEPTED}))

    def _given_up(self, component: Component, link: Any) -> Iterator[Step]:  # noqa: ANN401
        yield Step("given up", link.accepted_minor, frozenset({"closed by acceptance"}))
        # What either side does to it afterwards is its own business.
        since = component.difference - link.accepted_minor
        yield Step("since it was given up", since, frozenset({"closed by acceptance"}))

    def export(self, component: Component) -> Iterator[Step]:
        """A document that QuickBooks lacks."""
        told = self._of([component.record], "operation export_", "exception ")
        yield Step("not exported", -component.algapsa, told)

    def payment(self, component: Component) -> Iterator[Step]:
        """A payment on an invoice, wherever it was born."""
        links = [
            link
            for link in self._books.links
            if link.kind == "payment" and component.record == link.quickbooks_id
        ]
        here = [link for link in links if link.invoice_id == component.document]
        pushed = [link for link in here if link.origin in _PUSHED]
        if pushed:
            return self._sent(component, pushed[0])
        if here:
            return self._matched(component)
        if any(link.origin in _PUSHED for link in links):
            return self._moved(component)
        if component.record in component.rows:
            return self._unsent(component)
        return self._received(component)

    def _sent(self, component: Component, link: Any) -> Iterator[Step]:  # noqa: ANN401
        agreed, shown = link.snapshot or {}, link.shown or {}
        document = self._documents.get(component.document)
        invoice = document.quickbooks_id if document else ""
        was, stands = (int(view.get("lines", {}).get(invoice, 0)) for view in (agreed, shown))
        ids = {component.record, link.algapsa_id, *component.rows}
        yield Step("unseen in QuickBooks", component.quickbooks - stands, frozenset())
        drift = ("exception payment_drift", "operation change_payment", "operation push_payment")
        refund = ("exception refund_", "decision refund_", "exception push_unapplied")
        told = self._of(ids, *drift, *refund)
        if 0 < was - stands <= self._refunded[component.document]:
            # A receipt that staff made smaller by what was refunded is that refund.
            self._refunded[component.document] -= was - stands
            told |= {"refund of the invoice"}
        yield Step("drift", stands - was, told)
        sent = int(agreed.get("total_minor", 0))
        yield from self._unapplied(component, was - sent, ids)
        yield Step("accepted", -link.accepted_minor, frozenset({_ACCEPTED}))
        yield from self._taken_back(component, sent + link.accepted_minor, ids)

    def _taken_back(self, component: Component, had: int, ids: set[str]) -> Iterator[Step]:
        """What AlgaPSA took back of what QuickBooks holds, or what it was to hold."""
        recorded = self._recorded(component)
        yield Step("recorded otherwise", recorded, frozenset({"decision refund_recorded"}))
        told = self._of(ids, "operation change_payment", "exception ", "operation push_payment")
        yield Step("taken back", had - recorded - component.algapsa, told)

    def _recorded(self, component: Component) -> int:
        return sum(self._minor.get(("decision refund_recorded", row), 0) for row in component.rows)

    def _unapplied(self, component: Component, minor: int, ids: Iterable[str]) -> Iterator[Step]:
        """What one side's total leaves no room for, then what staff said is real on both sides."""
        spare = self._spare.get(component.document, 0)
        kept = max(minor, spare) if minor < 0 else min(minor, spare)
        if minor * spare > 0:
            self._spare[component.document] = spare - kept
            yield Step("beyond the invoice", kept, frozenset({"accepted total of the invoice"}))
            minor -= kept
        told = self._of(ids, "decision both_real", "decision accepted", "exception push_unapplied")
        yield Step("unapplied", minor, told)

    def _moved(self, component: Component) -> Iterator[Step]:
        """AlgaPSA's own money that a bookkeeper gave to another invoice."""
        said = self._said(component)
        yield Step("unseen in QuickBooks", component.quickbooks - said, frozenset())
        told = self._of([component.record], "exception payment_drift", "decision accepted")
        yield Step("moved in QuickBooks", said - component.algapsa, told)

    def _matched(self, component: Component) -> Iterator[Step]:
        ids = {component.record, *component.rows}
        said = self._said(component)
        yield Step("unseen in QuickBooks", component.quickbooks - said, frozenset())
        told = self._of(ids, "exception payment_drift", "decision accepted", "exception closed")
        yield Step("changed since the match", said - component.algapsa, told)

    def _unsent(self, component: Component) -> Iterator[Step]:
        """AlgaPSA's own money that QuickBooks does not have."""
        if component.algapsa < 0:
            yield from self._refund(component)
            return
        told = self._of(component.rows, "operation push_payment", "exception ")
        yield Step("not pushed", -component.algapsa, told)

    def _refund(self, component: Component) -> Iterator[Step]:
        recorded = self._recorded(component)
        yield Step("recorded otherwise", recorded, frozenset({"decision refund_recorded"}))
        told = self._of(component.rows, "exception ", "operation change_payment")
        if not self._own[component.document]:
            # What went back was never there, or went back there too.
            told |= {"equal nets on the invoice"}
        if component.document not in self._documents:
            told |= self._of([component.document], "operation export_", "exception export_")
        yield Step("refund", -component.algapsa - recorded, told)

    def _received(self, component: Component) -> Iterator[Step]:
        """QuickBooks' own money, as the newest change that was received of it says."""
        said = self._said(component)
        yield Step("unseen in QuickBooks", component.quickbooks - said, frozenset())
        change = self._changes.get(component.record)
        missing = said - component.algapsa
        if change is not None and change.state in _WAITS:
            waits_under = self._of([component.record], "exception ") | self._mentioned.get(
                component.record, set()
            )
            names = {f"change {change.state}"} if waits_under else set()
            yield Step("not applied", missing, frozenset(names))
            return
        yield from self._unapplied(component, missing, [component.record])

    def _said(self, component: Component) -> int:
        """What the newest stored change says of the payment on the document."""
        change = self._changes.get(component.record)
        document = self._documents.get(component.document)
        if change is None or change.deleted or document is None:
            return 0
        payload = json.loads(change.payload) if isinstance(change.payload, str) else change.payload
        return sum(
            cents
            for kind, target, cents in payment_lines(payload)
            if kind == "Invoice" and target == document.quickbooks_id
        )

    def credit(self, component: Component) -> Iterator[Step]:
        """Each use of a credit note: linked, still to send, to take back, or QuickBooks' own."""
        key = component.record, component.document
        applied = dict(self._books.applications.get(key, {}))
        spent = dict(self._books.spent.get(key, {}))
        for link in self._books.links:
            if link.kind == "credit_application" and self._is_about(link, component):
                yield from self._linked_use(link, applied, spent)
        for application, minor in applied.items():
            told = self._of([application, component.record], "operation apply_", "exception ")
            told |= self._of([application], "decision accepted")
            yield Step("not applied in QuickBooks", -minor, told)
        for payment, minor in spent.items():
            told = self._of([payment, component.record], "exception ", "decision accepted")
            yield Step("not applied in AlgaPSA", minor, told)

    def _is_about(self, link: Any, component: Component) -> bool:  # noqa: ANN401
        parts = link.snapshot or link.shown or {}
        return (parts.get("note_id"), parts.get("invoice_id")) == (
            component.record,
            component.document,
        )

    def _linked_use(
        self,
        link: Any,  # noqa: ANN401
        applied: dict[str, int],
        spent: dict[str, int],
    ) -> Iterator[Step]:
        shown = int((link.shown or link.snapshot or {}).get("minor", 0))
        there, here = spent.pop(link.quickbooks_id, 0), applied.pop(link.algapsa_id, 0)
        ids = {link.algapsa_id, link.quickbooks_id}
        gone = self._of(ids, "exception payment_drift", "exception credit_", "decision accepted")
        back = self._of(ids, "operation remove_credit", "exception ", "decision accepted")
        yield Step("changed in QuickBooks", there - shown, gone)
        yield Step("taken back in AlgaPSA", shown - here, back)

    def _of(self, ids: Iterable[str], *kinds: str) -> frozenset[str]:
        return frozenset(
            name for each in ids for name in self._names.get(each, ()) if name.startswith(kinds)
        )


_STEPS: Mapping[str, Any] = {
    "total": _Ledger.total,
    "export": _Ledger.export,
    "payment": _Ledger.payment,
    "credit": _Ledger.credit,
}
