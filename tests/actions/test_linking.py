"""Links by file: validated line by line, all or nothing, safe to repeat."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.actions.errors import LinkFileError
from qbo_sync_dagster.actions.linking import ImportedLinks, export_links, import_links
from qbo_sync_dagster.ledger import links

from .conftest import OTHER, REALM, Office

STRANGER = "8f14e45f-ceea-467f-a8c1-0d5c3f1b2a90"


def linked(office: Office, kind: str, realm: str = REALM) -> dict[str, str]:
    with office.engine.ledger.connect() as connection:
        return links.ids(connection, realm, kind)


def problems(office: Office, text: str, realm: str = REALM, **options: bool) -> tuple[str, ...]:
    with pytest.raises(LinkFileError) as caught:
        import_links(office.engine, realm, text, **options)
    return caught.value.problems


def test_every_kind_is_linked_and_an_invoice_gets_its_home(office: Office) -> None:
    office.connect()
    client, service, invoice = office.msp.clients[0], office.msp.services[0], office.msp.invoices[0]

    imported = import_links(
        office.engine,
        REALM,
        "kind,algapsa_id,quickbooks_id\n"
        f"client,{client.upper()},58\nservice,{service},19\ntax region,US-WA,TAX\n"
        f"payment_term,net_30,3\ninvoice,{invoice},145\n",
    )

    assert imported == ImportedLinks(added=5)
    assert linked(office, "client") == {client: "58"}
    assert linked(office, "tax_region") == {"US-WA": "TAX"}
    assert linked(office, "payment_term") == {"net_30": "3"}
    with office.engine.ledger.connect() as connection:
        assert links.homes(connection, office.msp.tenant) == {invoice: REALM}
        [link] = links.by_algapsa_id(connection, REALM, "invoice").values()
    assert (link.origin, link.snapshot, link.fingerprint) == ("imported", None, None)
    assert ("link made", f"invoice {invoice}", None, "145") in office.audited()


def test_a_file_can_be_imported_again_and_what_is_exported_imports_as_unchanged(
    office: Office,
) -> None:
    office.connect()
    rows = f"service,{office.msp.services[0]},19\nclient,{office.msp.clients[0]},58\n"
    import_links(office.engine, REALM, rows)

    exported = export_links(office.engine.ledger, REALM)

    assert exported == (
        "kind,algapsa_id,quickbooks_id\n"
        f"client,{office.msp.clients[0]},58\nservice,{office.msp.services[0]},19\n"
    )
    assert import_links(office.engine, REALM, exported) == ImportedLinks(unchanged=2)


def test_two_services_may_share_an_item_but_two_clients_no_customer(office: Office) -> None:
    office.connect()
    first, second, _ = office.msp.clients
    shared = f"service,{office.msp.services[0]},19\nservice,{office.msp.services[1]},19\n"
    import_links(office.engine, REALM, shared)

    assert problems(office, f"client,{first},58\nclient,{second},58\n") == (
        "Line 2: the QuickBooks object 58 is linked to another client in line 1.",
    )
    import_links(office.engine, REALM, f"client,{first},58\n")
    assert problems(office, f"client,{second},58\n") == (
        f"Line 1: the QuickBooks object 58 is linked to client {first} already.",
    )


def test_one_bad_line_leaves_nothing_linked_and_every_fault_is_named_with_its_line(
    office: Office,
) -> None:
    office.connect()
    client = office.msp.clients[0]
    text = (
        "kind,algapsa_id,quickbooks_id\n"
        f"client,{client},58\n"
        "vendor,1,2\n"
        "\n"
        "client,Quarry Lane,9\n"
        f"client,{client},58\n"
        f"service,{office.msp.services[0]}\n"
        f"service,{office.msp.services[0]},\n"
    )

    assert problems(office, text) == (
        "Line 3: 'vendor' is no kind of link: client, service, tax_region, payment_term, invoice, "
        "credit_memo.",
        "Line 5: the client 'Quarry Lane' is not an AlgaPSA id. It looks like "
        "3f2b8c1e-0d4a-4c57-9a68-1b2c3d4e5f60.",
        "Line 7: its number of columns is 2 instead of 3: kind, algapsa_id, quickbooks_id.",
        "Line 8: the object '' is not a QuickBooks id.",
        f"Line 6: client {client} is in line 2 already.",
    )
    assert linked(office, "client") == {}


def test_a_record_that_algapsa_does_not_have_is_refused(office: Office) -> None:
    office.connect()
    text = f"client,{STRANGER},1\nservice,{STRANGER},2\ntax_region,US-OR,3\ninvoice,{STRANGER},4\n"

    assert problems(office, text) == (
        f"Line 1: AlgaPSA has no client {STRANGER} for this tenant.",
        f"Line 2: AlgaPSA has no service {STRANGER} for this tenant.",
        "Line 3: AlgaPSA has no tax region US-OR for this tenant.",
        f"Line 4: AlgaPSA has no invoice {STRANGER} for this tenant.",
    )


def test_a_linked_record_keeps_its_object_unless_it_is_replaced_on_purpose(office: Office) -> None:
    office.connect()
    client, invoice = office.msp.clients[0], office.msp.invoices[0]
    import_links(office.engine, REALM, f"client,{client},58\ninvoice,{invoice},145\n")

    [told] = problems(office, f"client,{client},59\n")
    assert told == (
        f"Line 1: client {client} is linked to QuickBooks object 58 already. "
        "Correct it with --replace if that is wrong."
    )
    replaced = import_links(office.engine, REALM, f"client,{client},59\n", replace=True)
    assert replaced == ImportedLinks(replaced=1)
    assert linked(office, "client") == {client: "59"}
    assert office.audited()[-1] == ("link changed", f"client {client}", "58", "59")


def test_an_invoice_is_never_linked_to_another_object_even_on_purpose(office: Office) -> None:
    office.connect()
    invoice = office.msp.invoices[0]
    import_links(office.engine, REALM, f"invoice,{invoice},145\n")

    assert problems(office, f"invoice,{invoice},146\n", replace=True) == (
        f"Line 1: invoice {invoice} is linked to QuickBooks object 145 already.",
    )


def test_an_invoice_belongs_to_one_company(office: Office) -> None:
    office.connect()
    office.connect(OTHER)
    invoice = office.msp.invoices[0]
    import_links(office.engine, REALM, f"invoice,{invoice},145\n")

    assert problems(office, f"invoice,{invoice},7\n", OTHER) == (
        f"Line 1: invoice {invoice} belongs to QuickBooks company {REALM}.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffkind;algapsa_id;quickbooks_id\r\nclient;{client};58\r\n",
        'client,"{client}",58,,\n',
        "  client , {client} , 58 \n\n\n",
    ],
)
def test_files_as_spreadsheets_write_them_are_read(office: Office, text: str) -> None:
    office.connect()

    import_links(office.engine, REALM, text.format(client=office.msp.clients[0]))

    assert linked(office, "client") == {office.msp.clients[0]: "58"}


@pytest.mark.parametrize("text", ["", "\n\n", "kind,algapsa_id,quickbooks_id\n"])
def test_a_file_without_links_is_refused(office: Office, text: str) -> None:
    office.connect()

    [told] = problems(office, text)
    assert told.startswith("The file holds no links.")


def test_a_field_larger_than_csv_allows_is_a_sentence(office: Office) -> None:
    office.connect()

    [told] = problems(office, "client," + "x" * 200_000 + ",1\n")
    assert told.startswith("Line 1: this is not CSV")
