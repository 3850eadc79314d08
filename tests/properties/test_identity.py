"""Recognising objects on random sets: none is taken twice, and none is called absent wrongly."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.domain.document_view import DocumentView, LineView
from qbo_sync_dagster.domain.identity import DocumentIdentity, find_documents

NUMBERS = st.sampled_from(["INV-1", "INV-2", "INV-3", ""])
CUSTOMERS = st.sampled_from(["58", "59"])
AMOUNTS = st.sampled_from([100, 200])
DAYS = st.sampled_from(["2026-03-01", "2026-03-02"])


@st.composite
def identities(draw: st.DrawFn) -> dict[int, DocumentIdentity]:
    # AlgaPSA's numbers are unique.
    numbers = draw(st.lists(NUMBERS.filter(bool), unique=True, max_size=3))
    found = {}
    for key, number in enumerate(numbers):
        amount = draw(AMOUNTS)
        found[key] = DocumentIdentity(number, draw(CUSTOMERS), amount, draw(DAYS), (amount,))
    return found


@st.composite
def views(draw: st.DrawFn) -> dict[str, DocumentView]:
    found = {}
    for key in range(draw(st.integers(0, 4))):
        amount = draw(AMOUNTS)
        found[str(key)] = DocumentView(
            state="live",
            number=draw(NUMBERS),
            customer_id=draw(CUSTOMERS),
            currency="USD",
            date=draw(DAYS),
            due_date="",
            total_minor=amount,
            tax_minor=0,
            lines=(LineView("12", "", amount, "", ""),),
        )
    return found


@given(identities(), views())
def test_no_object_is_taken_by_two_documents(
    sought: dict[int, DocumentIdentity], shown: dict[str, DocumentView]
) -> None:
    found = find_documents(sought, shown)
    takers = Counter(ids.own[0] for ids in found.values() if len(ids.own) == 1)

    assert all(count == 1 for count in takers.values())


@given(identities(), views())
def test_a_document_is_called_absent_only_if_no_object_has_its_number_or_its_amount(
    sought: dict[int, DocumentIdentity], shown: dict[str, DocumentView]
) -> None:
    found = find_documents(sought, shown)
    numbers = {identity.number: identity.customer_id for identity in sought.values()}
    for key, identity in sought.items():
        if found[key].own or found[key].suspects:
            continue
        for view in shown.values():
            is_anothers = numbers.get(view.number) == view.customer_id
            is_like_it = (
                view.customer_id == identity.customer_id
                and view.total_minor == identity.total_minor
            )
            assert view.number != identity.number
            assert is_anothers or not is_like_it
