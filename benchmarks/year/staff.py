"""What the provider's own staff do about the sync on a day, and the network's weather."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from benchmarks.year.day import Day
from benchmarks.year.provider import Company
from qbo_sync_dagster.actions.batching import run_batch
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.configuring import make_default
from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.actions.mapping import set_mappings
from qbo_sync_dagster.actions.mapping_file import read_mappings
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.quickbooks.errors import QuickBooksError

_NO_SUCH_ITEM = "99999"
_WEATHER = (
    ("timeout_after_commit", "batch"),
    ("drop_after_commit", "batch"),
    ("timeout_before", "batch"),
    ("502_html", "any"),
    ("429", "any"),
    ("500", "cdc"),
    ("malformed_json", "batch"),
)
# What names another record: one of those that the exception tells of, or none.
_AIMED = frozenset({Action.MATCH, Action.BOTH_REAL})
_MONEY = frozenset({"payment", "Payment", "credit_application"})
# Onboarding's choices have their own tests; a link to any customer or invoice would be a mistake
# that nobody could name.
_NEVER_BY_CHANCE = frozenset(
    # Whether what was sent arrived, staff find out before they say so.
    {Action.LINK_CLIENT, Action.LINK_INVOICE, Action.RECONNECT, Action.ADOPT, Action.SEND_AGAIN}
)


def close_gap(day: Day) -> bool:
    """Staff link a service or a client that was missing, in both companies."""
    if not day.gaps:
        return False
    kind, identity = day.gaps.pop(0)
    make = day.provider.quickbooks.item if kind == "service" else day.provider.quickbooks.customer
    for company in day.provider.companies:
        made = make(company.realm, f"New in the books {day.number()}")
        if kind == "service":
            _map_by_file(day, company, identity, str(made["Id"]))
        else:
            day.provider.link(company, [(kind, identity, str(made["Id"]))])
    return True


def _map_by_file(day: Day, company: Company, service: str, item: str) -> None:
    """A file of mappings that names an item which is not there is refused, and then mended."""
    head = "kind,algapsa_id,quickbooks_id\n"
    for chosen in (_NO_SUCH_ITEM, item):
        wanted = read_mappings(f"{head}service,{service},{chosen}\n")
        try:
            set_mappings(day.provider.engine, company.realm, wanted)
        except LinkFileError:
            if chosen == item:
                raise
        except QuickBooksError:
            # The weather; what was promised is kept by a file of links, which needs no call.
            day.provider.link(company, [("service", service, item)])


def send_batch(day: Day) -> bool:
    """Staff send what was billed last to one of the companies, default or not."""
    company = day.company()
    today = day.provider.today
    selection = BatchSelection(first=today - timedelta(days=14))
    with suppress(ActionRefusedError, QuickBooksError):
        return run_batch(day.provider.engine, company.realm, selection, "staff").taken > 0
    return False


def change_default(day: Day) -> bool:
    """New documents go to the other company from now on."""
    make_default(day.provider.engine.ledger, day.company().realm)
    return True


def decide(day: Day) -> bool:
    """Staff take an action that an open exception offers, on any of its kinds alike."""
    company = day.company()
    by_kind: dict[str, list[StoredException]] = {}
    for each in day.provider.open_exceptions(company):
        if each.actions:
            by_kind.setdefault(each.kind, []).append(each)
    if not by_kind:
        return False
    chosen = day.chance.choice(by_kind[day.chance.choice(sorted(by_kind))])
    action = Action(day.chance.choice(chosen.actions))
    if action in _NEVER_BY_CHANCE:
        return False
    choice = Choice(chosen.number, "staff", "Agreed with the client")
    try:
        resolve(day.provider.engine, Resolution(action, choice, _target(day, chosen, action)))
    except (ActionRefusedError, QuickBooksError):
        day.refused[f"{chosen.kind} {action}"] += 1
        return False
    day.decided[f"{chosen.kind} {action}"] += 1
    return True


def look_for_orphan(day: Day) -> bool:
    """Staff look in QuickBooks for what was sent, and adopt it if it is there."""
    company = day.company()
    lost = [
        each
        for each in day.provider.open_exceptions(company)
        if each.kind == ExceptionKind.ORPHAN and each.record.startswith("invoice:")
    ]
    if not lost:
        return False
    chosen = day.chance.choice(lost)
    there = [*day.altered, *(each["Id"] for each in day.unlinked(company, "Invoice"))]
    action = Action.ADOPT if there else Action.SEND_AGAIN
    choice = Choice(chosen.number, "staff")
    for target in there or [""]:
        with suppress(ActionRefusedError, QuickBooksError):
            resolve(day.provider.engine, Resolution(action, choice, target))
            day.decided[f"{chosen.kind} {action}"] += 1
            return True
        day.refused[f"{chosen.kind} {action}"] += 1
    return False


def _target(day: Day, chosen: StoredException, action: Action) -> str:
    if action is Action.RECORD_REFUND:
        return f"Refund {day.number()}"
    own = chosen.record.partition(":")[2]
    others = (record["id"] for record in chosen.records if record["kind"] in _MONEY)
    named = [each for each in others if each != own]
    return day.chance.choice(["", *named]) if action in _AIMED else ""


def storm(day: Day) -> bool:
    """The network or Intuit fails on some call of the next cycle."""
    effect, kind = day.chance.choice(_WEATHER)
    day.provider.quickbooks.fault(
        effect, realm=day.company().realm, kind=kind, after_calls=day.chance.randrange(3)
    )
    return True
