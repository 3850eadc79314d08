"""What an invoice becomes in QuickBooks, and whether it is ready: judged per document.

Every problem of a document is found, not only the first, so that one exception names them all.
How the result is written as JSON is the QuickBooks gateway's business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from qbo_sync_dagster.domain.algapsa_records import Charge, ChargeDetail, Client, Document
from qbo_sync_dagster.domain.document_kinds import DocumentKind, kind_of
from qbo_sync_dagster.domain.money import format_minor, has_cents, to_decimal

# Intuit's limits for an invoice.
LONGEST_NUMBER = 21
MOST_LINES = 750
_LONGEST_DESCRIPTION = 4000
_LONGEST_EMAIL = 100
_BASIS_POINTS = Decimal(10_000)

TAXABLE, NOT_TAXABLE = "TAX", "NON"


@dataclass(frozen=True, slots=True)
class References:
    """The company's objects that documents refer to, by what AlgaPSA calls them.

    `customers` by client id, `items` by service id, `tax_codes` by region code, `terms` by
    payment term; the defaults stand in where no link exists. `unavailable` are clients whose
    customer is inactive or deleted there.
    """

    customers: Mapping[str, str]
    items: Mapping[str, str]
    tax_codes: Mapping[str, str]
    terms: Mapping[str, str]
    default_item: str | None = None
    default_class: str | None = None
    default_department: str | None = None
    default_tax_code: str | None = None
    default_term: str | None = None
    unavailable: Collection[str] = ()

    @property
    def is_united_states(self) -> bool:
        """Whether lines carry TAX or NON only: Intuit's rule for companies in the US."""
        codes = {*self.tax_codes.values(), self.default_tax_code or TAXABLE}
        return codes <= {TAXABLE, NOT_TAXABLE}

    def term(self, payment_terms: str) -> str | None:
        """The term for AlgaPSA's: its link, else the default."""
        return self.terms.get(payment_terms) or self.default_term

    def tax_code(self, region: str) -> str | None:
        """The tax code for AlgaPSA's region: its link, else the default."""
        return self.tax_codes.get(region) or self.default_tax_code


@dataclass(frozen=True, slots=True)
class ExportLine:
    """One sales line. `amount` is net of tax; quantity and price only where they multiply to it."""

    item_id: str
    amount: Decimal
    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    tax_code: str | None
    class_id: str | None
    service_date: date | None


@dataclass(frozen=True, slots=True)
class ExportDocument:
    """A document as it is to be created in QuickBooks.

    A credit memo has positive amounts, and neither term nor due date.
    """

    kind: DocumentKind
    invoice_id: str
    number: str
    customer_id: str
    invoice_date: date
    due_date: date | None
    term_id: str | None
    currency: str
    exchange_rate: Decimal | None
    email: str | None
    department_id: str | None
    note: str | None
    tax_minor: int
    total_minor: int
    tax_is_excluded: bool
    lines: tuple[ExportLine, ...]


@dataclass(frozen=True, slots=True)
class NotReady:
    """Why a document cannot be exported: every problem, each a sentence with its cure.

    `awaits_customer` means that the only problem is a client whose customer is not there yet.
    """

    problems: tuple[str, ...]
    awaits_customer: bool = False


def prepare_export(
    document: Document, client: Client | None, references: References
) -> ExportDocument | NotReady:
    """The document as QuickBooks is to have it, or all that is missing for that."""
    customer = references.customers.get(document.header.client_id)
    problems = [
        *_header_problems(document),
        *_reference_problems(document, client, references),
        *_total_problems(document),
    ]
    if client is not None and customer is None:
        problem = f'Client "{client.name}" is not linked to a QuickBooks customer: link it.'
        return NotReady((*problems, problem), awaits_customer=not problems)
    if problems or client is None or customer is None:
        return NotReady(tuple(problems))
    header = document.header
    is_credit = header.is_credit_note
    rate = document.exchange_rate_basis_points
    return ExportDocument(
        kind=kind_of(header),
        invoice_id=header.invoice_id,
        number=header.number,
        customer_id=customer,
        invoice_date=header.invoice_date,
        due_date=None if is_credit else header.due_date,
        term_id=None if is_credit else references.term(client.payment_terms),
        currency=header.currency,
        exchange_rate=Decimal(rate) / _BASIS_POINTS if rate else None,
        email=_email(client),
        department_id=references.default_department,
        note=f"PO: {document.po_number}" if document.po_number else None,
        tax_minor=-document.tax_minor if is_credit else document.tax_minor,
        total_minor=header.exported_minor,
        tax_is_excluded=not references.is_united_states,
        lines=tuple(_lines(document, references)),
    )


def _header_problems(document: Document) -> Iterator[str]:
    header = document.header
    if not has_cents(header.currency):
        yield (
            f"The currency {header.currency} has no hundredths, and AlgaPSA keeps hundredths: "
            "enter this invoice in QuickBooks by hand and link it."
        )
    if not header.number or len(header.number) > LONGEST_NUMBER:
        yield (
            f"The number {header.number!r} does not fit: QuickBooks takes 1 to {LONGEST_NUMBER} "
            "characters."
        )
    if header.exported_minor < 0:
        yield "It is a credit note over a positive amount: correct it in AlgaPSA."
    if not document.charges:
        yield "It has no charges: QuickBooks needs at least one line."
    lines = sum(1 for charge in document.charges for _ in _parts(charge))
    if lines > MOST_LINES:
        yield f"It has {lines} lines; QuickBooks takes {MOST_LINES}: split the invoice."


def _reference_problems(
    document: Document, client: Client | None, references: References
) -> Iterator[str]:
    if client is None:
        yield "Its client no longer exists in AlgaPSA."
    elif not document.header.is_credit_note and not references.term(client.payment_terms):
        yield (
            f'Payment term "{client.payment_terms}" is not linked to a QuickBooks term: link it.'
        )
    if client is not None and client.client_id in references.unavailable:
        yield (
            f'The QuickBooks customer of client "{client.name}" is inactive or deleted: make it '
            "active again, or link the client to another one."
        )
    missing: dict[str, None] = {}
    for charge in document.charges:
        missing |= dict.fromkeys(_charge_problems(charge, references))
    yield from missing


def _charge_problems(charge: Charge, references: References) -> Iterator[str]:
    if charge.net_minor is None:
        yield f'Charge "{_short(charge.description)}" has no net amount in AlgaPSA.'
        return
    for part in _parts(charge):
        if part.service_id and part.service_id not in references.items:
            yield (
                f'Service "{part.service_name or part.service_id}" is not linked to a QuickBooks '
                "item: link it."
            )
        if not part.service_id and not references.default_item:
            yield (
                f'Charge "{_short(charge.description)}" has no service, and the company has no '
                "default item: set one."
            )
    region = charge.tax_region
    needs_code = charge.tax_minor != 0 or not references.is_united_states
    if region and needs_code and references.tax_code(region) is None:
        yield f'Tax region "{region}" is not linked to a QuickBooks tax code: link it.'


def _total_problems(document: Document) -> Iterator[str]:
    nets = [charge.net_minor for charge in document.charges]
    if None in nets or not nets:
        return
    net = sum(minor or 0 for minor in nets)
    tax = sum(charge.tax_minor for charge in document.charges)
    if net + tax != document.header.total_minor or tax != document.tax_minor:
        yield (
            f"Its charges add up to {format_minor(net)} plus tax {format_minor(tax)}, its total is "
            f"{format_minor(document.header.total_minor)} with tax "
            f"{format_minor(document.tax_minor)}: correct the invoice in AlgaPSA."
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """What one line is made of: a charge, or one service of a fixed-plan charge."""

    service_id: str | None
    service_name: str | None
    net_minor: int
    quantity: Decimal
    unit_price_minor: int | None
    period_start: date | None


def _parts(charge: Charge) -> Iterator[_Part]:
    net = charge.net_minor or 0
    details = charge.details
    if charge.service_id is None and _splits(details, net):
        for detail in details:
            yield _Part(
                detail.service_id,
                detail.service_name,
                detail.allocated_minor or 0,
                detail.quantity,
                None,
                detail.period_start,
            )
        return
    yield _Part(
        charge.service_id,
        charge.service_name,
        net,
        charge.quantity,
        charge.unit_price_minor,
        min((d.period_start for d in details if d.period_start), default=None),
    )


def _splits(details: tuple[ChargeDetail, ...], net: int) -> bool:
    # A split that does not add up to the charge would change the invoice's total.
    return bool(details) and sum(detail.allocated_minor or 0 for detail in details) == net


def _lines(document: Document, references: References) -> Iterator[ExportLine]:
    is_credit = document.header.is_credit_note
    for charge in document.charges:
        for part in _parts(charge):
            item = references.items[part.service_id] if part.service_id else None
            quantity, price = _multiplied(part, is_credit=is_credit)
            yield ExportLine(
                item_id=item or references.default_item or "",
                amount=to_decimal(-part.net_minor if is_credit else part.net_minor),
                description=charge.description[:_LONGEST_DESCRIPTION],
                quantity=quantity,
                unit_price=price,
                tax_code=_tax_code(charge, references),
                class_id=references.default_class,
                service_date=part.period_start,
            )


def _multiplied(part: _Part, *, is_credit: bool) -> tuple[Decimal | None, Decimal | None]:
    # QuickBooks refuses a line whose quantity times price is not its amount (fault 6070).
    if part.unit_price_minor is None or part.quantity * part.unit_price_minor != part.net_minor:
        return None, None
    if not is_credit:
        return part.quantity, to_decimal(part.unit_price_minor)
    if part.quantity < 0:
        return -part.quantity, to_decimal(part.unit_price_minor)
    return part.quantity, to_decimal(-part.unit_price_minor)


def _tax_code(charge: Charge, references: References) -> str | None:
    if references.is_united_states and charge.tax_minor == 0:
        return NOT_TAXABLE
    if charge.tax_region is None:
        return TAXABLE if references.is_united_states else None
    return references.tax_code(charge.tax_region)


def _email(client: Client) -> str | None:
    email = (client.billing_email or "").strip()
    plausible = "@" in email and "." in email.partition("@")[2] and len(email) <= _LONGEST_EMAIL
    return email if plausible else None


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
