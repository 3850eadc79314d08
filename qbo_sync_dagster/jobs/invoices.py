"""One invoice now, a batch of chosen ones, and a preview of a whole cycle."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

from collections.abc import Sequence
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from assets.metadata import to_metadata
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.values import read_date
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.jobs.speaking import COMPANY, asked_by, spoken
from qbo_sync_dagster.panels.values import Table
from qbo_sync_dagster.resources import SyncEngineResource

if TYPE_CHECKING:
    from qbo_sync_dagster.actions.batch_lines import BatchLine
    from qbo_sync_dagster.domain.batch_selection import BatchSelection
    from qbo_sync_dagster.sync.engine import SyncEngine

# Metadata is stored with the run's event.
_MOST_CHARACTERS = 100_000
_MOST_LINES = 200
_COLUMNS = ("invoice", "client", "date", "total", "problems")


class SyncInvoice(dg.Config):
    """Which invoice."""

    company: str = Field(description=COMPANY, min_length=1, max_length=200)
    invoice: str = Field(
        description="The invoice's number, or its id in AlgaPSA.", min_length=1, max_length=200
    )


class PreviewCycle(dg.Config):
    """Which company."""

    company: str = Field(description=COMPANY, min_length=1, max_length=200)


class Run(Enum):
    """Whether a batch is only shown, or sent."""

    preview = "preview"
    send = "send"


class ExportBatch(dg.Config):
    """Which invoices go to which company; what is left empty takes everything."""

    company: str = Field(description=f"Where they go. {COMPANY}", min_length=1, max_length=200)
    run: Run = Field(
        default=Run.preview, description="preview lists every problem and sends nothing."
    )
    first_date: str = Field(default="", description="Invoices dated from this day: 2026-01-31.")
    last_date: str = Field(default="", description="Invoices dated until this day: 2026-02-28.")
    clients: list[str] = Field(default=[], description="Clients, by name or id.")
    statuses: list[str] = Field(default=[], description="AlgaPSA's statuses, such as sent.")
    numbers: list[str] = Field(default=[], description="Invoice numbers.")


class Write(Enum):
    """Whether a file is only previewed, or written."""

    preview = "preview"
    write = "write"


class ExportBatchCsv(dg.Config):
    """Which invoices go into a file for which company; what is left empty takes everything."""

    company: str = Field(
        description=f"A company that is not connected. {COMPANY}", min_length=1, max_length=200
    )
    run: Write = Field(
        default=Write.preview, description="preview lists every problem and writes nothing."
    )
    first_date: str = Field(default="", description="Invoices dated from this day: 2026-01-31.")
    last_date: str = Field(default="", description="Invoices dated until this day: 2026-02-28.")
    clients: list[str] = Field(default=[], description="Clients, by name or id.")
    statuses: list[str] = Field(default=[], description="AlgaPSA's statuses, such as sent.")
    numbers: list[str] = Field(default=[], description="Invoice numbers.")
    file: str = Field(
        default="",
        description="A new file on the machine that runs the sync. Empty: the file's text stands "
        "in this run's output, to be copied.",
    )


@dg.op
def sync_invoice_op(
    context: dg.OpExecutionContext, config: SyncInvoice, sync_engine: SyncEngineResource
) -> None:
    """Export one invoice under a cycle's protections."""
    from qbo_sync_dagster.sync.one_document import (  # noqa: PLC0415 - heavy
        SyncedAs,
        sync_document,
    )

    with sync_engine.engine() as engine, spoken():
        done = sync_document(engine, config.company.strip(), config.invoice)
    if done.outcome not in (SyncedAs.SYNCED, SyncedAs.ALREADY):
        raise dg.Failure(done.sentence, allow_retries=False)
    context.log.info(done.sentence)


@dg.op
def preview_cycle_op(
    context: dg.OpExecutionContext, config: PreviewCycle, sync_engine: SyncEngineResource
) -> None:
    """Plan a cycle and show the plan; nothing is written anywhere."""
    from qbo_sync_dagster.panels.preview import headline, preview_panel  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.sync.preview import preview_cycle as plan_cycle  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine, spoken():
        plan = plan_cycle(engine, config.company.strip())
    context.add_output_metadata(to_metadata(preview_panel(plan)))
    context.log.info(headline(plan))


@dg.op
def export_batch_op(
    context: dg.OpExecutionContext, config: ExportBatch, sync_engine: SyncEngineResource
) -> None:
    """Show or send the batch; each problem stands in the log."""
    from qbo_sync_dagster.actions import batching  # noqa: PLC0415 - heavy

    company = config.company.strip()
    with sync_engine.engine() as engine, spoken():
        chosen = _chosen(engine, config)
        if config.run is Run.preview:
            lines = batching.preview_batch(engine, company, chosen)
            ready = sum(not line.problems for line in lines)
            context.log.info("%s can be sent, %s can't.", ready, len(lines) - ready)
        else:
            done = batching.run_batch(engine, company, chosen, asked_by(context))
            lines = list(done.left_out)
            told = (done.batch_id, done.taken, len(lines))
            context.log.info("Batch %s: %s queued, %s left out.", *told)
    _tell(context, lines)


@dg.op
def export_batch_csv_op(
    context: dg.OpExecutionContext, config: ExportBatchCsv, sync_engine: SyncEngineResource
) -> None:
    """Show what the file would lack, or write it whole and remember what it took."""
    from qbo_sync_dagster.actions import batch_file, batching  # noqa: PLC0415 - heavy

    company = config.company.strip()
    with sync_engine.engine() as engine, spoken():
        chosen = _chosen(engine, config)
        if config.run is Write.preview:
            lines = batching.preview_batch(engine, company, chosen)
            ready = sum(not line.problems for line in lines)
            context.log.info("%s can be written, %s can't.", ready, len(lines) - ready)
            _tell(context, lines)
            return
        if config.file.strip():
            file = Path(config.file.strip())
            done = batch_file.write_batch_file(engine, company, chosen, asked_by(context), file)
            context.add_output_metadata({"file": str(file)})
        else:
            done = batch_file.write_batch(engine, company, chosen, asked_by(context), _refuse_long)
            context.add_output_metadata({"csv": dg.MetadataValue.text(done.text)})
    context.log.info("Batch %s: %s written.", done.batch_id, done.taken)


def _refuse_long(text: str) -> None:
    if len(text) > _MOST_CHARACTERS:
        raise ActionRefusedError(
            "These are too many invoices to show here. Nothing is remembered. Choose fewer, or "
            "name a `file`."
        )


def _chosen(engine: "SyncEngine", config: ExportBatch | ExportBatchCsv) -> "BatchSelection":
    from qbo_sync_dagster.actions.batch_lines import select  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.domain.batch_selection import BatchSelection  # noqa: PLC0415 - heavy

    wanted = BatchSelection(
        first=_day(config.first_date, "first_date"),
        last=_day(config.last_date, "last_date"),
        statuses=config.statuses,
        numbers=config.numbers,
    )
    company = config.company.strip()
    return select(engine, company, selection=wanted, client_names=config.clients)


def _tell(context: dg.OpExecutionContext, lines: "Sequence[BatchLine]") -> None:
    """The invoices as a table, those with problems first, and each problem in the log."""
    in_order = sorted(lines, key=lambda line: not line.problems)
    rows = tuple(
        (
            line.number,
            line.client,
            line.date.isoformat(),
            f"{format_minor(line.total_minor)} {line.currency}",
            " ".join(line.problems) or "none",
        )
        for line in in_order[:_MOST_LINES]
    )
    problems = [line for line in in_order if line.problems]
    for line in problems[:_MOST_LINES]:
        context.log.warning("Invoice %s: %s", line.number, " ".join(line.problems))
    context.add_output_metadata(
        to_metadata(
            {
                "ready": len(lines) - len(problems),
                "with_problems": len(problems),
                "invoices": Table(_COLUMNS, rows),
            }
        )
    )


def _day(text: str, name: str) -> date | None:
    return read_date(text, name) if text.strip() else None


_INVOICE = dg.RunConfig(
    ops={"sync_invoice_op": SyncInvoice(company="company-to-sync", invoice="INV-000123")}
)
_PREVIEW = dg.RunConfig(ops={"preview_cycle_op": PreviewCycle(company="company-to-preview")})
_CHOICE: dict[str, object] = {
    "run": "preview",
    "first_date": "",
    "last_date": "",
    "clients": [],
    "statuses": [],
    "numbers": [],
}
_BATCH = {"ops": {"export_batch_op": {"config": {"company": "company-to-export-to"} | _CHOICE}}}
_FILE = {
    "ops": {
        "export_batch_csv_op": {
            "config": {"company": "company-to-write-for", "file": ""} | _CHOICE,
        }
    }
}


@dg.job(
    config=_INVOICE,
    description="Sync to QuickBooks: export one invoice now instead of waiting for the next cycle. "
    "invoice_sync_status lists all of them.",
)
def sync_invoice() -> None:
    """One step: export it."""
    sync_invoice_op()


@dg.job(
    config=_PREVIEW,
    description="Show what a cycle of a company would do now, field by field, and do nothing.",
)
def preview_cycle() -> None:
    """One step: plan and show."""
    preview_cycle_op()


@dg.job(
    config=_BATCH,
    description="Export chosen invoices to a company of your choice. Preview first: it lists every "
    "problem and sends nothing.",
)
def export_batch() -> None:
    """One step: show or send."""
    export_batch_op()


@dg.job(
    config=_FILE,
    description="Write chosen invoices as the file that QuickBooks imports, for a company that is "
    "not connected (`qbo-sync connections prepare` enters one). The sync never creates them "
    "afterwards. Preview first: it lists every problem and writes nothing.",
)
def export_batch_csv() -> None:
    """One step: show or write."""
    export_batch_csv_op()
