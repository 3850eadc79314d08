"""A company's settings from Dagster: what is filled in is changed, and all of them are shown."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

import dagster as dg
from pydantic import Field

from assets.metadata import to_metadata
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.ledger.errors import LedgerError
from qbo_sync_dagster.panels.values import Table
from qbo_sync_dagster.quickbooks.errors import QuickBooksError
from qbo_sync_dagster.resources import SyncEngineResource

_PICKED = "By its name in QuickBooks; none removes it."


def _setting(effect: str) -> str:
    field: str = Field(default="", max_length=200, description=f"{effect} Empty: stays as it is.")
    return field


class ConfigureCompany(dg.Config):
    """Which company, and what shall change. Every setting is optional."""

    company: str = Field(
        description="The company, as the partitions of sync_health name it, or its realm id.",
        min_length=1,
        max_length=200,
    )
    deposit_account: str = _setting(
        f"Account that payments sent to QuickBooks go into; none: Undeposited Funds. {_PICKED}"
    )
    default_class: str = _setting(f"Class on exported documents. {_PICKED}")
    default_department: str = _setting(f"Department (location) on exported documents. {_PICKED}")
    default_item: str = _setting(f"Item for charges without a service. {_PICKED}")
    default_tax_code: str = _setting(f"Tax code for tax regions without a link. {_PICKED}")
    default_term: str = _setting(f"Payment term for terms without a link. {_PICKED}")
    auto_sync: str = _setting("on: a cycle every 15 minutes; off: only Sync Now runs one.")
    customer_creation: str = _setting("on: a client without a link gets a new customer.")
    go_live: str = _setting("First day whose documents are sent: 2026-01-31.")
    time_zone: str = _setting("The books' time zone: America/New_York.")
    accepted_cents: str = _setting("Difference of a total, in cents, that nobody need accept.")
    assignee: str = _setting("Who is named on new exceptions.")
    default_company: str = _setting("yes: new documents of the tenant go to this company.")


# The names of the settings where they are not those of the fields with hyphens.
_NAMES = {"default_class": "class", "default_department": "department"}


def setting_name(field: str) -> str:
    """The setting that a field of the form changes."""
    return _NAMES.get(field, field.replace("_", "-"))


@dg.op(name="configure")
def configure_company_op(
    context: dg.OpExecutionContext, config: ConfigureCompany, sync_engine: SyncEngineResource
) -> None:
    """Change the settings that are filled in, all or none; then show all of them."""
    from qbo_sync_dagster.actions import configuring  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.actions.choices import company_lists  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.ledger import connections  # noqa: PLC0415 - heavy

    filled = {name: value for name, value in config.model_dump().items() if value}
    company = filled.pop("company").strip()
    wanted = {setting_name(name): value for name, value in filled.items()}
    with sync_engine.engine() as engine:
        try:
            changed = configuring.configure(
                engine.ledger, company, wanted, lambda realm: company_lists(engine, realm)
            )
        except (ActionRefusedError, QuickBooksError, LedgerError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        with engine.ledger.connect() as connection:
            standing = connections.get(connection, company)
    for each in changed:
        context.log.info("%s: %s (was %s)", each.name, each.after_shown, each.before_shown)
    if not changed:
        context.log.info("Nothing changed.")
    rows = tuple(
        (name, "-" if value is None else str(value), configuring.SETTINGS[name].effect)
        for name, value in configuring.settings_of(standing).items()
    )
    context.add_output_metadata(
        to_metadata(
            {
                "company": standing.company_name,
                "changed": len(changed),
                "settings": Table(("setting", "value", "effect"), rows),
            }
        )
    )


_TO_FILL_IN = {"ops": {"configure": {"config": {"company": "company-to-configure"}}}}


@dg.job(
    config=_TO_FILL_IN,
    description="Sync configuration of one company: deposit account, class, department, auto-sync "
    "and the rest. Fill in what shall change; with the company alone it shows all settings.",
)
def configure_company() -> None:
    """One step: configure."""
    configure_company_op()
