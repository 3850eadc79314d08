"""Export batches as a file in QuickBooks' import format, for companies that are not connected.

What a file took counts as booked: no cycle creates it afterwards. A file that was never imported
is withdrawn, and the sync sends its invoices once the company is connected.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from qbo_sync_dagster.actions.batch_lines import (
    BatchDone,
    BatchLine,
    free,
    keep,
    line_of,
    scope_of,
    selected,
    stands,
    taken_home,
)
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.algapsa_records import Client, Document, DocumentHeader
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.csv_export import csv_problems, write_invoices
from qbo_sync_dagster.ledger import audit, batches, connections, postings
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.alone import alone_with
from qbo_sync_dagster.sync.engine import SyncEngine

_MOST_TOLD = 20
_UNANSWERED = (
    "It was sent to QuickBooks and no answer came, so it may stand there already. Reconnect the "
    "company: its next cycle finds out."
)

Deliver = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class JudgedForFile:
    """A document as it would be written, with what stands in its way."""

    line: BatchLine
    header: DocumentHeader
    document: Document | None
    client: Client | None


def judge_for_file(
    engine: SyncEngine, into: Connection, selection: BatchSelection
) -> list[JudgedForFile]:
    """The chosen documents with every problem that keeps them out of the file. No calls.

    Raises ActionRefusedError while a cycle runs, AlgaPsaError.
    """
    headers = selected(engine, into, selection)
    ids = [each.invoice_id for each in headers]
    gateway = engine.open_algapsa(into)
    clients = {each.client_id: each for each in gateway.clients()}
    documents = gateway.documents(ids)
    with alone_with(engine, into, "batch") as ctx:
        scope = scope_of(free(ctx, into), headers)
    with engine.ledger.connect() as connection:
        unanswered = postings.records_in_doubt(connection, into.tenant, ids)
    judged = []
    for header in headers:
        document, client = documents.get(header.invoice_id), clients.get(header.client_id)
        problems = stands(header, scope)
        if not problems and header.invoice_id in unanswered:
            problems = (_UNANSWERED,)
        problems = problems or _problems(document, client)
        judged.append(JudgedForFile(line_of(header, clients, problems), header, document, client))
    return judged


def write_batch(
    engine: SyncEngine,
    company: str,
    selection: BatchSelection,
    by: str,
    deliver: Deliver | None = None,
) -> BatchDone:
    """Write the selected invoices as QuickBooks' import file; all of them or none.

    They count as booked from then on: no cycle creates them; the history step links them by
    number. `deliver` gets the text before anything is remembered, so that what can't be written
    does not count as booked. Raises ActionRefusedError for a connected company, and naming every
    invoice that can't be written.
    """
    with engine.ledger.connect() as connection:
        into = connections.get(connection, company)
    _refuse_connected(into)
    judged = judge_for_file(engine, into, selection)
    _refuse_problems([each.line for each in judged])
    documents = [each.document for each in judged if each.document]
    clients = {each.client.client_id: each.client for each in judged if each.client}
    text = write_invoices(documents, clients)
    headers = [each.header for each in judged]
    with engine.ledger.begin() as connection:
        _refuse_connected(connections.locked(connection, into.realm))
        if refused := taken_home(connection, into, headers):
            raise ActionRefusedError(f"Nothing was written. {' '.join(refused.values())}")
        _refuse_booked(connection, into, headers)
        batch_id = keep(connection, into.realm, selection, headers, batches.CSV, by)
        if deliver:
            deliver(text)
    return BatchDone(batch_id, len(headers), (), text)


def write_batch_file(
    engine: SyncEngine, company: str, selection: BatchSelection, by: str, file: Path
) -> BatchDone:
    """`write_batch` into a new file. Raises ActionRefusedError, too, if it can't be written.

    An existing file is left alone: what an earlier batch wrote there counts as booked. If one came
    meanwhile, the batch is remembered and the refusal says where its text stands.
    """
    if file.exists():
        raise ActionRefusedError(f"{file} is there already. Nothing was written; name another.")
    written: list[Path] = []
    done = write_batch(
        engine, company, selection, by, lambda text: written.append(_beside(file, text))
    )
    for each in written:
        _take_name(each, file, done)
    return done


def withdraw_batch(ledger: sa.Engine, company: str, batch_id: int, by: str) -> int:
    """Forget a file that was never imported, so that its invoices are sent after all.

    Returns how many invoices it had. Their numbers are looked up in QuickBooks before they are
    created, as always. Raises UnknownRealmError, ActionRefusedError if there is no such file.
    """
    with ledger.begin() as connection:
        realm = connections.get(connection, company).realm
        batch = batches.withdraw(connection, realm, batch_id)
        if batch is None:
            raise ActionRefusedError(
                f"There is no file of number {batch_id}. `qbo-sync batches list {company}` shows "
                "the batches; one that was sent to QuickBooks can't be withdrawn."
            )
        before = {name: str(value) for name, value in asdict(batch).items()}
        effect = audit.Effect("ledger", "batch withdrawn", f"batch:{batch_id}", before, {"by": by})
        audit.append(connection, realm, [effect])
    return len(batch.invoice_ids)


def _problems(document: Document | None, client: Client | None) -> tuple[str, ...]:
    return csv_problems(document, client) if document else ("It is no longer in AlgaPSA.",)


def _refuse_connected(company: Connection) -> None:
    if company.state == "connected":
        raise ActionRefusedError(
            f"{company.company_name} is connected, so a batch is sent there: "
            f"`qbo-sync batches run {company.company}`."
        )


def _refuse_problems(lines: Sequence[BatchLine]) -> None:
    if not lines:
        raise ActionRefusedError("Nothing was written: no invoice is selected.")
    problems = [line for line in lines if line.problems]
    if problems:
        told = " ".join(
            f"{line.number}: {' '.join(line.problems)}" for line in problems[:_MOST_TOLD]
        )
        left = len(problems) - _MOST_TOLD
        more = f" And {left} more; a preview lists all." if left > 0 else ""
        raise ActionRefusedError(f"Nothing was written. {told}{more}")


def _refuse_booked(
    connection: sa.Connection, into: Connection, headers: Sequence[DocumentHeader]
) -> None:
    # Asked anew under the company's lock: another run may have written them since they were judged.
    booked = batches.booked_by_csv(
        connection, into.tenant, [header.invoice_id for header in headers]
    )
    if booked:
        numbers = [header.number for header in headers if header.invoice_id in booked]
        left = len(numbers) - _MOST_TOLD
        more = f" and {left} more" if left > 0 else ""
        raise ActionRefusedError(
            f"Nothing was written. Another file took {', '.join(numbers[:_MOST_TOLD])}{more} at "
            "this moment; a preview shows what is left."
        )


def _beside(file: Path, text: str) -> Path:
    """Writes the text beside `file`, which takes the name once all is remembered."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
                out.write(text)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ActionRefusedError(
            f"{file} can't be written ({error.strerror}). Nothing is remembered; name another file."
        ) from error
    return Path(name)


def _take_name(written: Path, file: Path, done: BatchDone) -> None:
    # Its invoices count as booked by now, so the text is kept whatever happens. A rename would
    # replace what another run wrote under the name meanwhile.
    try:
        os.link(written, file)
    except OSError as error:
        raise ActionRefusedError(
            f"Batch {done.batch_id} is written and counts as booked, but it could not be named "
            f"{file} ({error.strerror}). It stands in {written}: import that file, or withdraw "
            f"batch {done.batch_id} if it is not wanted."
        ) from error
    with suppress(OSError):
        written.unlink()
