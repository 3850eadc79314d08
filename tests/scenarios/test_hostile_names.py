"""A company whose records bear names, numbers and memos that want to act: no page lets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from qbo_sync_dagster.domain.messages import OpenException, messages
from qbo_sync_dagster.ledger import connections, exceptions
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from tests.shown_markdown import LINKED, inside, text_of

from .test_onboarding_jobs import dagster, instance  # noqa: F401

SCRIPT = "<script>alert(1)</script> www.example.com Ltd"
LINK = "[pay](javascript:alert(1)) ![](http://example.com/p.png) | x |"
LINES = "# Heading https://example.com/pay\n\n**No open exceptions** \x1b[2J\x9b31m \u202egpj.exe"
FORMULA = "=HYPERLINK(1) pay@example.com `x` ~~y~~"
SHORT = "<b>[x](//e.ex)"


@pytest.fixture
def hostile(world):  # noqa: ANN201
    """Exceptions, drift and waiting payments about such records."""
    for client, name in zip(world.clients, (SCRIPT, LINK, LINES), strict=True):
        world.do(tenants.rename_client, client, name)
    realm, company = world.company.realm, world.company
    for customer, name in zip(company.customers.values(), (LINK, SCRIPT, FORMULA), strict=True):
        world.quickbooks.edit(realm, "Customer", customer, DisplayName=name.replace(":", ";"))
    with world.engine.ledger.begin() as connection:
        connections.update(connection, realm, company_name=f"{LINK} {SCRIPT}", assignee=SCRIPT)
    exported = world.exported()
    world.quickbooks.edit(
        realm, "Invoice", world.quickbooks_id(exported), DocNumber=SHORT, PrivateNote=LINK
    )
    stranger = world.do(tenants.create_client, tenants.Client(f"{LINES} {LINK}"))
    service = world.do(tenants.create_service, tenants.Service(FORMULA, 4_500))
    world.clients.append(stranger)
    world.invoice(client=3, charges=(Charge(LINK, 4_500, service_id=service),))
    customer = company.customers[world.clients[0]]
    unknown = world.quickbooks.invoice(
        realm, customer, [(company.item, 45)], DocNumber="www.example.com/=1"
    )
    world.quickbooks.record_payment(
        realm, customer, [(unknown["Id"], 45)], PrivateNote=SCRIPT, PaymentRefNum="`<i>`[a](b)"
    )
    world.invoice(charges=(Charge(SCRIPT, 1_000, service_id=world.service),))
    return world


def check(place: str, value: dg.MetadataValue[Any]) -> str:
    """The words of one value, which hold nothing that acts."""
    match value:
        case dg.MarkdownMetadataValue():
            tokens = inside(value.md_str or "")
            pictures = [each.attrGet("src") for each in tokens if each.type == "image"]
            assert all(str(each).startswith("data:image/svg+xml,") for each in pictures), place
            assert not [each for each in tokens if "html" in each.type], place
            assert not [each for each in tokens if each.type == "link_open"], place
            text = text_of(tokens)
            assert not LINKED.search(text), (place, LINKED.search(text))
        case dg.TableMetadataValue():
            cells = [each for record in value.records for each in record.data.values()]
            assert all(str(each).isprintable() for each in cells), place
            text = " ".join(map(str, cells))
        case _:
            text = str(value.value)
            assert text.isprintable(), place
    return text


def metadata_of(result: dg.ExecuteInProcessResult) -> Iterator[tuple[str, Any]]:
    for event in result.all_node_events:
        yield from (getattr(event.event_specific_data, "metadata", None) or {}).items()
        if event.is_step_materialization:
            yield from event.step_materialization_data.materialization.metadata.items()
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            told = event.asset_check_evaluation_data.description
            yield "check", dg.MetadataValue.md(told or "")


def test_on_no_page_does_a_name_act(hostile, dagster) -> None:  # noqa: F811
    cycle = dagster.cycle()
    shown = [(name, check(name, value)) for name, value in metadata_of(cycle)]
    preview = dagster.job("preview_cycle")
    shown += [(name, check(name, value)) for name, value in metadata_of(preview)]
    for asset in ("client_matches", "product_mappings", "booked_invoices", "invoice_sync_status"):
        shown += [(asset, check(asset, value)) for _, value in dagster.metadata(asset).items()]

    assert preview.success
    pages = [text for name, text in shown if name == "open_this"]
    assert len(pages) >= 3
    everything = " ".join(text for _, text in shown).replace("\u200b", "")
    for words in (
        "<script>alert(1)</script>",
        "[pay](javascript:alert(1))",
        "=HYPERLINK(1)",
        SHORT,
    ):
        assert words in everything


def test_no_message_to_people_links_or_mentions(hostile) -> None:
    hostile.cycle()
    with hostile.engine.ledger.connect() as connection:
        standing = exceptions.listed(connection, hostile.company.realm)
        name = connections.get(connection, hostile.company.realm).company_name

    told = messages(
        name,
        [
            OpenException(
                each.number,
                each.kind,
                each.title,
                each.version,
                (*[record["label"] for record in each.records], LINES),
            )
            for each in standing
        ],
        set(),
    )

    text = "\n".join(f"{each.title}\n{each.body}" for each in told)
    assert len(standing) >= 3
    assert not LINKED.search(text)
    assert all(line.isprintable() for line in text.replace("\u200b", "").splitlines())
    assert not set("<>[]@*") & set(text)
