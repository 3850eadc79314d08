"""Invoices out: what stands in the document that QuickBooks gets."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from qbo_sync_dagster.sandbox.algapsa import edits, invoices, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import (
    Charge,
    FixedPart,
    fixed_plan,
    manual_charge,
    percentage_discount,
)

TAX = {"tax_region": "US-WA", "tax_rate": Decimal("8.25")}


def _exported(world, invoice):
    assert world.cycle().outcome == "succeeded"
    [found] = world.in_quickbooks(invoice)
    return found


def _sales_lines(document):
    return [line for line in document["Line"] if line["DetailType"] == "SalesItemLineDetail"]


def _detail(line):
    return line["SalesItemLineDetail"]


def _cents(amount):
    return int(Decimal(amount) * 100)


def test_the_header_carries_number_customer_dates_terms_currency_and_email(world) -> None:
    day = world.today - timedelta(days=3)
    invoice = world.invoice(12_345, day=day)

    sent = _exported(world, invoice)

    assert sent["DocNumber"] == invoice.number
    assert sent["CustomerRef"]["value"] == world.company.customers[world.clients[0]]
    assert sent["TxnDate"] == day.isoformat()
    assert sent["DueDate"] == (day + timedelta(days=30)).isoformat()
    assert sent["SalesTermRef"]["value"] == world.company.term
    assert sent["CurrencyRef"]["value"] == "USD"
    assert sent["BillEmail"] == {"Address": "ap@example.com"}
    assert sent["EmailStatus"] == "NotSet"
    assert "PrivateNote" not in sent


def test_the_due_date_is_algapsas_and_not_what_the_term_makes_of_it(world) -> None:
    due = world.today + timedelta(days=4)

    sent = _exported(world, world.invoice(due_date=due))

    assert sent["DueDate"] == due.isoformat()


def test_a_purchase_order_number_goes_into_the_private_note(world) -> None:
    sent = _exported(world, world.invoice(po_number="PO-7731"))

    assert sent["PrivateNote"] == "PO: PO-7731"


def test_class_and_department_are_the_companys_defaults(world) -> None:
    realm = world.company.realm
    klass = world.quickbooks.create(realm, "Class", {"Name": "Managed services"})
    department = world.quickbooks.create(realm, "Department", {"Name": "Spokane"})
    world.configure(default_class=klass["Id"], default_department=department["Id"])

    sent = _exported(world, world.invoice())

    assert sent["DepartmentRef"]["value"] == department["Id"]
    assert [_detail(line)["ClassRef"]["value"] for line in _sales_lines(sent)] == [klass["Id"]]


def test_each_charge_is_a_line_with_item_description_quantity_price_and_net_amount(world) -> None:
    charges = (
        Charge("Managed endpoint", 2_550, Decimal(3), service_id=world.service),
        Charge("Extra workstation", 1_999, service_id=world.service),
    )

    sent = _exported(world, world.invoice(charges=charges))

    told = [
        (line["Description"], _cents(line["Amount"]), _detail(line)["Qty"])
        for line in _sales_lines(sent)
    ]
    assert sorted(told) == [
        ("Extra workstation", 1_999, 1),
        ("Managed endpoint", 7_650, 3),
    ]
    assert {_detail(line)["ItemRef"]["value"] for line in _sales_lines(sent)} == {
        world.company.item
    }
    assert _cents(sent["TotalAmt"]) == 9_649


def test_a_line_whose_quantity_times_price_is_not_its_amount_goes_without_them(world) -> None:
    charge = Charge("Metered backup", 333, Decimal("1.5"), service_id=world.service)

    sent = _exported(world, world.invoice(charges=(charge,)))

    [line] = _sales_lines(sent)
    assert _cents(line["Amount"]) == 500
    assert "Qty" not in _detail(line)
    assert "UnitPrice" not in _detail(line)


def test_algapsas_tax_is_the_documents_tax_and_taxed_lines_carry_the_linked_code(world) -> None:
    charges = (
        Charge("Managed endpoint", 10_000, service_id=world.service, **TAX),
        Charge("Exempt consulting", 5_000, service_id=world.service),
    )

    sent = _exported(world, world.invoice(charges=charges))

    assert _cents(sent["TxnTaxDetail"]["TotalTax"]) == 825
    assert _cents(sent["TotalAmt"]) == 15_825
    codes = {
        line["Description"]: _detail(line)["TaxCodeRef"]["value"] for line in _sales_lines(sent)
    }
    assert codes == {"Managed endpoint": "TAX", "Exempt consulting": "NON"}


def test_a_fixed_plan_goes_out_as_one_line_per_service_with_its_share(world) -> None:
    backup = world.do(tenants.create_service, tenants.Service("Cloud backup", 4_000))
    item = world.quickbooks.item(world.company.realm, "Cloud backup")
    world.link(("service", backup, str(item["Id"])))
    plan = fixed_plan(
        "Complete care", [FixedPart(world.service, 6_001), FixedPart(backup, 3_999)], **TAX
    )

    sent = _exported(world, world.invoice(charges=(plan,)))

    shares = {
        _detail(line)["ItemRef"]["value"]: _cents(line["Amount"]) for line in _sales_lines(sent)
    }
    assert shares == {world.company.item: 6_001, str(item["Id"]): 3_999}
    assert {line["Description"] for line in _sales_lines(sent)} == {"Complete care"}
    assert _cents(sent["TotalAmt"]) == 10_825


def test_a_discount_is_an_ordinary_line_with_a_negative_amount(world) -> None:
    charge = Charge("Managed endpoint", 20_000, service_id=world.service, **TAX)
    world.configure(default_item=world.company.item)
    discount = percentage_discount("Loyalty 10%", charge, Decimal(10))

    sent = _exported(world, world.invoice(charges=(charge, discount)))

    amounts = {line["Description"]: _cents(line["Amount"]) for line in _sales_lines(sent)}
    assert amounts == {"Managed endpoint": 20_000, "Loyalty 10%": -2_000}
    assert _cents(sent["TotalAmt"]) == 19_485


def test_a_charge_without_a_service_goes_to_the_default_item(world) -> None:
    other = world.quickbooks.item(world.company.realm, "Other income")
    world.configure(default_item=str(other["Id"]))

    sent = _exported(world, world.invoice(charges=(manual_charge("Travel", 4_200),)))

    [line] = _sales_lines(sent)
    assert _detail(line)["ItemRef"]["value"] == str(other["Id"])


def test_drafts_and_cancelled_invoices_are_not_sent(world) -> None:
    world.draft()
    voided = world.invoice()
    world.do(invoices.void_invoice, voided.invoice_id)
    bulk = world.invoice()
    world.do(invoices.bulk_cancel, [bulk.invoice_id])

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.quickbooks.list(world.company.realm, "Invoice") == []
    assert world.titles() == []
    assert end.health.pending == 0


def test_an_invoice_of_a_currency_without_cents_is_refused_with_an_exception(world) -> None:
    invoice = world.invoice()
    world.do(edits.change_currency, invoice.invoice_id, "JPY")

    world.cycle()

    assert world.titles() == ["Scheduled accounting export failed validation"]
    assert "JPY" in world.open()[0].what_happened
    assert world.quickbooks.list(world.company.realm, "Invoice") == []


def test_a_text_longer_than_quickbooks_takes_is_cut_and_the_invoice_goes_out(world) -> None:
    charge = Charge("Ä" * 100_000, 10_000, service_id=world.service)

    sent = _exported(world, world.invoice(charges=(charge,)))

    assert _sales_lines(sent)[0]["Description"] == "Ä" * 4_000
