"""How services, regions and terms stand to a company's objects, and what their names suggest."""

from __future__ import annotations

from qbo_sync_dagster.domain.suggestions import MappedRecord, MappingKind, MappingState, map_records

ITEMS = {"12": "Managed Endpoint", "13": "Backup", "14": "Managed Endpoints Plus"}
TERMS = {"3": "Net 30", "4": "Net 15", "5": "Due on receipt"}


def one(*args: object, **options: object) -> MappedRecord:
    [record] = map_records(*args, **options)  # type: ignore[arg-type]
    return record


def suggested(record: MappedRecord) -> list[str]:
    return [each.record_id for each in record.suggestions]


def test_a_linked_record_needs_no_suggestion() -> None:
    record = one(MappingKind.SERVICE, {"s": "Backup"}, {"s": "12"}, ITEMS)

    assert (record.state, record.quickbooks_name) == (MappingState.LINKED, "Managed Endpoint")
    assert record.suggestions == ()


def test_a_missing_record_is_offered_what_bears_its_name_first() -> None:
    record = one(MappingKind.SERVICE, {"s": "managed endpoint"}, {}, ITEMS)

    assert record.state is MappingState.MISSING
    assert suggested(record)[0] == "12"
    assert record.certain is not None
    assert record.certain.record_id == "12"


def test_a_link_to_what_is_not_active_any_more_is_told() -> None:
    record = one(MappingKind.SERVICE, {"s": "Backup"}, {"s": "99"}, ITEMS)

    assert (record.state, record.quickbooks_id) == (MappingState.GONE, "99")
    assert suggested(record) == ["13"]


def test_two_objects_of_one_name_are_never_certain() -> None:
    record = one(MappingKind.SERVICE, {"s": "Backup"}, {}, {"1": "Backup", "2": "BACKUP"})

    assert sorted(suggested(record)) == ["1", "2"]
    assert record.certain is None


def test_a_term_is_found_by_its_code() -> None:
    record = one(MappingKind.PAYMENT_TERM, {"net_30": "net_30"}, {}, TERMS)

    assert record.certain is not None
    assert record.certain.record_id == "3"


def test_a_default_stands_in_for_what_has_no_link() -> None:
    record = one(MappingKind.PAYMENT_TERM, {"net_45": "net_45"}, {}, TERMS, default="5")

    assert record.state is MappingState.DEFAULT


def test_a_default_that_is_not_there_any_more_is_no_default() -> None:
    record = one(MappingKind.PAYMENT_TERM, {"net_45": "net_45"}, {}, TERMS, default="77")

    assert record.state is MappingState.MISSING


def test_in_the_united_states_every_region_is_taxable() -> None:
    codes = {"TAX": "Taxable", "NON": "Not taxable"}

    record = one(MappingKind.TAX_REGION, {"US-WA": "Washington"}, {}, codes)

    assert suggested(record) == ["TAX"]


def test_elsewhere_a_region_is_offered_codes_of_its_name() -> None:
    record = one(MappingKind.TAX_REGION, {"GST": "Canada"}, {}, {"5": "GST", "6": "HST ON"})

    assert record.certain is not None
    assert record.certain.record_id == "5"


def test_records_stand_in_the_order_of_their_names() -> None:
    records = map_records(MappingKind.SERVICE, {"1": "b", "2": "A"}, {}, ITEMS)

    assert [each.algapsa_name for each in records] == ["A", "b"]
