"""Exported invoices are protected in AlgaPSA: Community only, and only by rows of our own."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.re_exporting import re_export
from qbo_sync_dagster.sandbox.algapsa import edits
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from tests.scenarios.conftest import NAMES, build_company
from tests.scenarios.test_payments_crash import LEASE_RUN_OUT, die, killed_at


def _mappings(world) -> list[tuple[Any, ...]]:
    """AlgaPSA's invoice mappings: invoice, object, realm, and whether the row is ours."""
    statement = """
        SELECT alga_entity_id, external_entity_id, external_realm_id,
            COALESCE(metadata ? 'qbo_sync', false)
        FROM tenant_external_entity_mappings WHERE alga_entity_type = 'invoice'
        ORDER BY external_entity_id
    """
    with world.owner.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


class TestCommunity:
    """AlgaPSA without an engine of its own that would act on a mapping."""

    def test_an_exported_invoice_is_mapped_in_the_same_cycle(self, world) -> None:
        invoice = world.exported()

        realm = world.company.realm
        expected = (invoice.invoice_id, world.quickbooks_id(invoice), realm, True)
        assert _mappings(world) == [expected]

    def test_it_is_mapped_once_and_counted_as_one_write(self, world) -> None:
        world.invoice()
        first = world.cycle()
        second = world.cycle()

        assert len(_mappings(world)) == 1
        assert (first.health.algapsa_writes, second.health.algapsa_writes) == (1, 0)

    def test_a_mapping_whose_writer_died_is_put_on_record_by_the_next_cycle(
        self, world, monkeypatch
    ) -> None:
        invoice = world.invoice()
        with killed_at("qbo_sync_dagster.sync.mirror.links.mark_mirrored", monkeypatch):
            die(world)
        assert [row[0] for row in _mappings(world)] == [invoice.invoice_id]
        recorded = "SELECT record FROM audit_log WHERE effect = 'protect invoice'"
        assert world.in_ledger(recorded) == []

        world.later(LEASE_RUN_OUT)
        world.cycle()
        world.cycle()

        assert world.in_ledger(recorded) == [(f"invoice:{invoice.invoice_id}",)]
        assert len(_mappings(world)) == 1

    def test_a_linked_invoice_is_mapped_too(self, world) -> None:
        company = world.company
        invoice = world.invoice(8_000)
        customer = company.customers[world.clients[0]]
        theirs = world.quickbooks.invoice(company.realm, customer, [(company.item, "80.00")])
        world.link(("invoice", invoice.invoice_id, theirs["Id"]))

        world.cycle()

        assert [row[1] for row in _mappings(world)] == [theirs["Id"]]

    def test_an_invoice_created_anew_is_mapped_to_its_new_object(self, world) -> None:
        invoice, other = world.exported(), world.exported()
        old = world.quickbooks_id(invoice)
        world.quickbooks.delete(world.company.realm, "Invoice", old)
        world.cycle()
        [gone] = world.open()
        re_export(world.engine.ledger, Choice(gone.number, "Staff"))
        world.cycle()
        world.cycle()

        new = world.quickbooks_id(invoice)
        assert new != old
        assert {row[0]: row[1] for row in _mappings(world)} == {
            invoice.invoice_id: new,
            other.invoice_id: world.quickbooks_id(other),
        }
        assert world.titles() == []

    def test_our_own_mapping_is_not_taken_for_algapsas(self, world) -> None:
        world.exported()

        world.cycle()
        end = world.cycle()

        assert (world.titles(), end.sentence) == ([], "Nothing to do")

    def test_a_second_company_maps_nothing(self, world) -> None:
        second = build_company(world.quickbooks, world.clients, NAMES)
        world.connect(second, company_name="Cedar Ridge Labs")
        first, world.company = world.company, second
        world.link_everything()
        world.company = first
        invoice = world.invoice()
        world.in_ledger(
            "INSERT INTO document_homes (tenant, invoice_id, realm)"
            " VALUES (:tenant, :invoice, :realm)",
            tenant=world.tenant,
            invoice=invoice.invoice_id,
            realm=second.realm,
        )

        last_end(run_cycle(world.engine, second.realm, trigger="test"))

        assert len(world.quickbooks.list(second.realm, "Invoice")) == 1
        assert _mappings(world) == []

    def test_killed_between_mapping_and_mark_the_next_cycle_repeats_it_harmlessly(
        self, world, monkeypatch
    ) -> None:
        world.invoice()
        with monkeypatch.context() as patched:
            patched.setattr("qbo_sync_dagster.sync.mirror.links.mark_mirrored", _raise(SystemExit))
            with pytest.raises(SystemExit):
                world.cycle()
        assert len(_mappings(world)) == 1

        end = world.cycle()

        assert end.outcome == "succeeded"
        assert len(_mappings(world)) == 1
        assert world.in_ledger("SELECT mirrored FROM links WHERE kind = 'invoice'") == [(True,)]

    def test_a_mapping_of_algapsas_own_stays_as_it_is(self, world) -> None:
        first, second = world.exported(), world.invoice()
        world.do(edits.map_entity, "invoice", second.invoice_id, "4711", realm=None)

        world.cycle()

        ours = [row for row in _mappings(world) if row[3]]
        assert [row[0] for row in ours] == [first.invoice_id]
        assert (second.invoice_id, "4711", None, False) in _mappings(world)


class TestEnterprise:
    """AlgaPSA whose own engine would queue work for a mapped invoice."""

    @pytest.fixture
    def edition(self) -> str:
        """The Enterprise schema."""
        return "enterprise"

    def test_nothing_is_mapped(self, world) -> None:
        world.exported()

        end = world.cycle()

        assert _mappings(world) == []
        assert end.sentence == "Nothing to do"


def _raise(error: type[BaseException]) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
