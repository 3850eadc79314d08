"""Export batches: chosen, previewed with every problem, sent to a named company, or written."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from qbo_sync_dagster.actions import batch_file
from qbo_sync_dagster.actions.batch_file import withdraw_batch, write_batch, write_batch_file
from qbo_sync_dagster.actions.batch_lines import select
from qbo_sync_dagster.actions.batching import preview_batch, run_batch
from qbo_sync_dagster.actions.connecting import CompanyToPrepare, prepare_company
from qbo_sync_dagster.actions.disconnecting import disconnect_company, forget_company
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.csv_export import write_invoices
from qbo_sync_dagster.onboarding.history import link_history
from qbo_sync_dagster.sync.cycle import last_end, run_cycle

from .conftest import NAMES, TIME_ZONE, build_company

BY = "Ada Fern"


def numbered(*invoices) -> BatchSelection:  # noqa: ANN002
    return BatchSelection(numbers={each.number for each in invoices})


@pytest.fixture
def second(world):  # noqa: ANN201
    """A second company of the tenant, connected and with every link."""
    company = build_company(world.quickbooks, world.clients, NAMES)
    first, world.company = world.company, company
    world.connect(company, company_name="Cedar Ridge East")
    world.link_everything()
    world.company = first
    return company


def cycle(world, company) -> None:
    assert last_end(run_cycle(world.engine, company.realm, trigger="test")).outcome == "succeeded"


def numbers_in(world, company) -> list[str]:
    return [str(each["DocNumber"]) for each in world.quickbooks.list(company.realm, "Invoice")]


def test_a_batch_sends_its_invoices_to_the_named_company_and_nowhere_else(world, second) -> None:
    east, west = world.invoice(), world.invoice()

    done = run_batch(world.engine, second.realm, numbered(east), BY)
    cycle(world, second)
    cycle(world, world.company)

    assert (done.taken, done.left_out) == (1, ())
    assert numbers_in(world, second) == [east.number]
    assert numbers_in(world, world.company) == [west.number]


def test_what_was_queued_for_another_company_moves_only_until_it_was_sent(world, second) -> None:
    sent, waiting = world.exported(), world.invoice()
    world.in_ledger(
        "DELETE FROM links WHERE kind = 'service' AND realm = :r", r=world.company.realm
    )
    world.cycle()

    done = run_batch(world.engine, second.realm, numbered(sent, waiting), BY)
    cycle(world, second)
    world.cycle()

    assert done.taken == 1
    assert [line.number for line in done.left_out] == [sent.number]
    assert numbers_in(world, second) == [waiting.number]
    assert numbers_in(world, world.company) == [sent.number]


def test_a_preview_lists_every_problem_and_does_nothing(world) -> None:
    good, taken = world.invoice(), world.history()
    world.configure(go_live_date=world.today - timedelta(days=365))
    draft = world.draft()
    world.in_ledger(
        "DELETE FROM links WHERE kind = 'client' AND algapsa_id = :c", c=world.clients[1]
    )
    unlinked = world.invoice(client=1)

    selection = numbered(good, taken, draft, unlinked)
    lines = {
        each.number: each for each in preview_batch(world.engine, world.company.realm, selection)
    }

    assert lines[good.number].problems == ()
    assert "already has a document" in lines[taken.number].problems[0]
    assert "not linked to a QuickBooks customer" in lines[unlinked.number].problems[0]
    assert draft.number not in lines
    assert world.operations() == {}


def test_a_batch_asks_for_the_cycle_that_sends_it(world) -> None:
    run_batch(world.engine, world.company.realm, numbered(world.invoice()), BY)

    assert world.in_ledger("SELECT realm, requested_by FROM sync_requests") == [
        (world.company.realm, BY)
    ]


def test_a_batch_run_twice_exports_once(world) -> None:
    invoice = world.invoice()

    run_batch(world.engine, world.company.realm, numbered(invoice), BY)
    run_batch(world.engine, world.company.realm, numbered(invoice), BY)
    world.cycle()
    again = run_batch(world.engine, world.company.realm, numbered(invoice), BY)

    assert len(world.in_quickbooks(invoice)) == 1
    assert again.taken == 0
    assert again.left_out[0].problems == ("It is in QuickBooks already.",)


def test_invoices_are_chosen_by_date_client_and_status(world) -> None:
    wanted = world.invoice(client=1)
    world.invoice(client=0)
    chosen = select(
        world.engine,
        world.company.realm,
        selection=BatchSelection(first=world.today, statuses={"sent"}),
        client_names=["birch and vale law", NAMES[1]][1:],
    )

    lines = preview_batch(world.engine, world.company.realm, chosen)

    assert [line.number for line in lines] == [wanted.number]


def test_a_batch_of_everything_is_refused(world) -> None:
    with pytest.raises(ActionRefusedError, match="Say which invoices"):
        preview_batch(world.engine, world.company.realm, BatchSelection())


def test_a_file_is_for_companies_that_are_not_connected(world) -> None:
    invoice = world.invoice()

    with pytest.raises(ActionRefusedError, match="is connected"):
        write_batch(world.engine, world.company.realm, numbered(invoice), BY)


def test_a_company_that_is_not_connected_gets_a_file_that_adds_up(world) -> None:
    invoice = world.invoice(12_345)
    world.configure(state="disconnected")

    done = write_batch(world.engine, world.company.realm, numbered(invoice), BY)

    [row] = csv.DictReader(io.StringIO(done.text))
    assert row["*InvoiceNo"] == invoice.number
    assert row["*Customer"] == NAMES[0]
    assert row["*ItemAmount"] == "123.45"
    assert row["*InvoiceDate"] == f"{world.today:%m/%d/%Y}"


def test_what_a_file_took_to_quickbooks_is_never_created_again(world) -> None:
    invoice = world.invoice()
    world.configure(state="disconnected")
    write_batch(world.engine, world.company.realm, numbered(invoice), BY)
    world.configure(state="connected")

    world.cycle()

    assert world.in_quickbooks(invoice) == []
    assert world.operations() == {}


def test_what_a_file_took_to_quickbooks_is_linked_by_its_number(world) -> None:
    invoice = world.invoice(10_000)
    world.configure(state="disconnected")
    write_batch(world.engine, world.company.realm, numbered(invoice), BY)
    world.configure(state="connected")
    customer = world.company.customers[world.clients[0]]
    lines = [(world.company.item, "100.00")]
    made = world.quickbooks.invoice(world.company.realm, customer, lines, DocNumber=invoice.number)

    link_history(world.engine, world.company.realm)
    world.cycle()

    assert world.links() == {invoice.invoice_id: str(made["Id"])}
    assert len(world.in_quickbooks(invoice)) == 1


def test_a_file_is_written_whole_or_not_at_all(world) -> None:
    good, booked = world.invoice(), world.exported()
    world.configure(state="disconnected")

    with pytest.raises(ActionRefusedError, match="Nothing was written"):
        write_batch(world.engine, world.company.realm, numbered(good, booked), BY)

    assert world.in_ledger("SELECT count(*) FROM export_batches") == [(0,)]


def prepared(world):  # noqa: ANN201
    """A company of the tenant that nobody ever connected, entered for files."""
    wanted = CompanyToPrepare(
        world.tenant, "9341453299001", "Juniper Row", TIME_ZONE, world.today - timedelta(days=30)
    )
    return prepare_company(world.engine.ledger, wanted)


def test_a_company_that_was_never_connected_gets_its_file_too(world, tmp_path) -> None:
    invoice = world.invoice(12_345)
    company = prepared(world)

    [line] = preview_batch(world.engine, company.realm, numbered(invoice))
    write_batch_file(world.engine, company.realm, numbered(invoice), BY, tmp_path / "june.csv")

    assert line.problems == ()
    [row] = csv.DictReader((tmp_path / "june.csv").open(newline=""))
    assert (row["*InvoiceNo"], row["*ItemAmount"]) == (invoice.number, "123.45")
    assert [each.name for each in tmp_path.iterdir()] == ["june.csv"]


def test_what_another_run_wrote_meanwhile_is_not_written_twice(world, monkeypatch) -> None:
    invoice = world.invoice()
    company = prepared(world)

    def written_meanwhile(*judged):  # noqa: ANN002
        monkeypatch.setattr(batch_file, "write_invoices", write_invoices)
        write_batch(world.engine, company.realm, numbered(invoice), "Blake Moss")
        return write_invoices(*judged)

    monkeypatch.setattr(batch_file, "write_invoices", written_meanwhile)

    with pytest.raises(ActionRefusedError, match=f"Another file took {invoice.number}"):
        write_batch(world.engine, company.realm, numbered(invoice), BY)

    assert world.in_ledger("SELECT created_by FROM export_batches") == [("Blake Moss",)]


def test_what_its_file_took_goes_to_no_company_of_the_tenant_afterwards(world, tmp_path) -> None:
    invoice, other = world.invoice(), world.invoice()
    company = prepared(world)
    write_batch_file(world.engine, company.realm, numbered(invoice), BY, tmp_path / "june.csv")

    world.cycle()

    assert numbers_in(world, world.company) == [other.number]


def test_once_it_is_connected_what_its_file_took_is_linked_and_never_created(world) -> None:
    invoice = world.invoice(10_000)
    east = build_company(world.quickbooks, world.clients, NAMES)
    wanted = CompanyToPrepare(world.tenant, east.realm, "East", TIME_ZONE, world.today)
    prepare_company(world.engine.ledger, wanted)
    write_batch(world.engine, east.realm, numbered(invoice), BY)
    customer = east.customers[world.clients[0]]
    lines = [(east.item, "100.00")]
    # The day there is not always the day in UTC.
    entered = {"DocNumber": invoice.number, "TxnDate": world.today.isoformat()}
    made = world.quickbooks.invoice(east.realm, customer, lines, **entered)

    world.company = east
    world.connect(east, company_name="East")
    world.link_everything()
    world.cycle()

    assert world.links() == {invoice.invoice_id: str(made["Id"])}
    assert world.open() == []
    assert numbers_in(world, east) == [invoice.number]


def test_a_file_that_was_never_imported_is_withdrawn_and_its_invoices_are_sent(world) -> None:
    invoice = world.invoice()
    world.configure(state="disconnected")
    batch = write_batch(world.engine, world.company.realm, numbered(invoice), BY)
    world.configure(state="connected")
    world.cycle()
    [waiting] = world.open()
    assert waiting.title == "Already in QuickBooks"
    assert "batches withdraw" in waiting.what_happened

    count = withdraw_batch(world.engine.ledger, world.company.realm, batch.batch_id, BY)
    world.cycle()

    assert count == 1
    assert len(world.in_quickbooks(invoice)) == 1
    assert world.open() == []
    [[kept]] = world.in_ledger(
        "SELECT before->>'invoice_ids' FROM audit_log WHERE effect = 'batch withdrawn'"
    )
    assert invoice.invoice_id in kept


def test_what_was_sent_to_quickbooks_can_not_be_withdrawn(world) -> None:
    invoice = world.invoice()
    batch = run_batch(world.engine, world.company.realm, numbered(invoice), BY)

    with pytest.raises(ActionRefusedError, match="no file of number"):
        withdraw_batch(world.engine.ledger, world.company.realm, batch.batch_id, BY)


def test_a_file_that_can_not_be_written_counts_nothing_as_booked(world, tmp_path) -> None:
    invoice = world.invoice()
    company = prepared(world)

    with pytest.raises(ActionRefusedError, match="can't be written"):
        write_batch_file(
            world.engine, company.realm, numbered(invoice), BY, tmp_path / "gone" / "june.csv"
        )

    assert world.in_ledger("SELECT count(*) FROM export_batches") == [(0,)]


def test_an_earlier_file_is_never_written_over(world, tmp_path) -> None:
    invoice = world.invoice()
    company = prepared(world)
    file = tmp_path / "june.csv"
    file.write_text("the invoices of June")

    with pytest.raises(ActionRefusedError, match="is there already"):
        write_batch_file(world.engine, company.realm, numbered(invoice), BY, file)

    assert file.read_text() == "the invoices of June"
    assert world.in_ledger("SELECT count(*) FROM export_batches") == [(0,)]


def test_a_file_that_came_meanwhile_is_left_alone_and_the_batch_stands_beside_it(
    world, tmp_path, monkeypatch
) -> None:
    invoice = world.invoice()
    company = prepared(world)
    file = tmp_path / "june.csv"

    def written_meanwhile(*judged):  # noqa: ANN002
        file.write_text("the invoices of another run")
        return write_invoices(*judged)

    monkeypatch.setattr(batch_file, "write_invoices", written_meanwhile)

    with pytest.raises(ActionRefusedError, match="could not be named") as refused:
        write_batch_file(world.engine, company.realm, numbered(invoice), BY, file)

    assert file.read_text() == "the invoices of another run"
    [kept] = [each for each in tmp_path.iterdir() if each != file]
    assert invoice.number in kept.read_text()
    [(number,)] = world.in_ledger("SELECT batch_id FROM export_batches")
    assert str(kept) in str(refused.value)
    assert f"withdraw batch {number}" in str(refused.value)


def test_an_invoice_whose_sending_has_no_answer_is_not_written_to_a_file(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind="create", times=9)
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind="batch", times=9)
    world.cycle()
    assert [each[0] for each in world.in_ledger("SELECT state FROM postings")] == ["sent"]
    world.configure(state="disconnected")

    [line] = preview_batch(world.engine, world.company.realm, numbered(invoice))

    assert "may stand there already" in line.problems[0]
    with pytest.raises(ActionRefusedError, match="Nothing was written"):
        write_batch(world.engine, world.company.realm, numbered(invoice), BY)


def test_what_was_sent_to_a_company_that_was_forgotten_is_sent_to_no_other(world, second) -> None:
    invoice = world.invoice()
    run_batch(world.engine, second.realm, numbered(invoice), BY)
    cycle(world, second)
    world.in_ledger("DELETE FROM connection_tokens WHERE realm = :r", r=second.realm)
    disconnect_company(world.engine, second.realm)
    forget_company(world.engine.ledger, second.realm)

    done = run_batch(world.engine, world.company.realm, numbered(invoice), BY)

    assert done.taken == 0
    assert "was forgotten" in done.left_out[0].problems[0]
    world.cycle()
    assert numbers_in(world, world.company) == []


def test_what_a_file_took_to_a_company_that_was_forgotten_is_sent_to_no_other(world) -> None:
    invoice = world.invoice()
    company = prepared(world)
    write_batch(world.engine, company.realm, numbered(invoice), BY)

    forget_company(world.engine.ledger, company.realm)
    world.cycle()

    assert numbers_in(world, world.company) == []
