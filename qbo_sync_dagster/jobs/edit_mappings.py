"""Mappings of a company from Dagster: services to items, tax regions to tax codes, terms to
terms."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

from enum import Enum

import dagster as dg
from pydantic import Field

from assets.metadata import to_metadata
from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.ledger.errors import LedgerError
from qbo_sync_dagster.panels.values import Table
from qbo_sync_dagster.quickbooks.errors import QuickBooksError
from qbo_sync_dagster.resources import SyncEngineResource

_COLUMNS = ("kind", "AlgaPSA", "state", "QuickBooks", "suggested")


class Mapped(Enum):
    """What is mapped, by the names that the Launchpad offers."""

    service = "service"
    tax_region = "tax_region"
    payment_term = "payment_term"


class MappingToSet(dg.Config):
    """One mapping."""

    kind: Mapped = Field(description="What is mapped.")
    algapsa: str = Field(description="AlgaPSA's record, by name or id.", min_length=1)
    quickbooks: str = Field(
        description="QuickBooks' item, tax code or term, by name or id.", min_length=1
    )


class EditMappings(dg.Config):
    """Which company, and what to map. With the company alone all mappings are shown."""

    company: str = Field(
        description="The company, as the partitions of sync_health name it, or its realm id.",
        min_length=1,
        max_length=200,
    )
    accept_equal_names: bool = Field(
        default=False, description="Map whatever is missing and bears the same name on both sides."
    )
    mappings: list[MappingToSet] = Field(
        default=[],
        description="Mappings to make or correct, all or none: kind (service, tax_region, "
        "payment_term), algapsa and quickbooks, each by name or id.",
    )


@dg.op(name="mappings")
def edit_mappings_op(
    context: dg.OpExecutionContext, config: EditMappings, sync_engine: SyncEngineResource
) -> None:
    """Make the mappings, then show how all of them stand."""
    from qbo_sync_dagster.actions import mapping  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.domain.suggestions import MappingKind  # noqa: PLC0415 - heavy

    company = config.company.strip()
    wanted = [
        mapping.WantedMapping(MappingKind(each.kind.value), each.algapsa, each.quickbooks)
        for each in config.mappings
    ]
    with sync_engine.engine() as engine:
        try:
            made = mapping.set_mappings(engine, company, wanted)
            accepted = mapping.accept_certain(engine, company) if config.accept_equal_names else []
            found = mapping.list_mappings(engine, company)
        except LinkFileError as error:
            raise _refused(" ".join([str(error), *error.problems])) from error
        except (ActionRefusedError, AlgaPsaError, QuickBooksError, LedgerError) as error:
            raise _refused(str(error)) from error
    context.log.info(
        "%s made, %s corrected, %s by equal names.", made.added, made.replaced, len(accepted)
    )
    rows = tuple(
        (
            each.kind.replace("_", " "),
            each.algapsa_name,
            str(each.state),
            each.quickbooks_name or each.quickbooks_id or "-",
            ", ".join(like.name for like in each.suggestions) or "-",
        )
        for each in found
    )
    context.add_output_metadata(
        to_metadata(
            {
                "company": company,
                "made": made.added + made.replaced + len(accepted),
                "missing": sum(each.state in ("missing", "gone") for each in found),
                "mappings": Table(_COLUMNS, rows),
            }
        )
    )


def _refused(sentence: str) -> dg.Failure:
    return dg.Failure(sentence, allow_retries=False)


_TO_FILL_IN = {"ops": {"mappings": {"config": {"company": "company-to-map", "mappings": []}}}}


@dg.job(
    config=_TO_FILL_IN,
    description="Services to items, tax regions to tax codes, payment terms to terms: shows what "
    "is linked, what is missing and what its name suggests, and makes or corrects mappings.",
)
def edit_mappings() -> None:
    """One step: mappings."""
    edit_mappings_op()
