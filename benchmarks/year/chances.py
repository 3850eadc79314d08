"""Acts on a QuickBooks record found by chance: what they look up stands here once.

Belongs here: finding the record that an act is done to, in any of the companies. Does not: the act.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from benchmarks.year.day import Act, Day
from benchmarks.year.provider import Company

Record: TypeAlias = dict[str, Any]
RecordAct: TypeAlias = Callable[[Day, Company, Record], bool]
Lookup: TypeAlias = Callable[[Day, Company], Record | None]


def _on(lookup: Lookup) -> Callable[[RecordAct], Act]:
    def decorate(act: RecordAct) -> Act:
        @wraps(act)
        def done(day: Day) -> bool:
            company = day.company()
            found = lookup(day, company)
            return found is not None and act(day, company, found)

        return done

    return decorate


def _cheque(day: Day, company: Company) -> Record | None:
    return day.payment(company, lambda each: str(each.get("PaymentRefNum", "")).startswith("CHQ"))


def _sent(day: Day, company: Company) -> Record | None:
    return day.payment(company, lambda each: "[sync:" in str(each.get("PrivateNote", "")))


def _with_rest(day: Day, company: Company) -> Record | None:
    return day.payment(company, lambda each: each.get("UnappliedAmt", 0) > 0, is_applied=False)


# Each makes an act of a day out of an act on a record; without such a record nothing is done.
on_open_invoice = _on(Day.open_invoice)
on_cheque = _on(_cheque)
on_sent_payment = _on(_sent)
on_unapplied_payment = _on(_with_rest)
