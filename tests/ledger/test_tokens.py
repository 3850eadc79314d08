"""Tokens: unreadable in the database, one refresh at a time, keys that can be replaced."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from qbo_sync_dagster.ledger import tokens
from qbo_sync_dagster.ledger.errors import SecretKeyError, UnknownRealmError

from .conftest import OTHER, Ledger

KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
EXPIRY = datetime(2026, 12, 1, tzinfo=UTC)
TOKENS = tokens.Tokens("access-AB12", EXPIRY, "refresh-CD34", EXPIRY)


def _vault(ledger: Ledger, keys: str = KEY) -> tokens.TokenVault:
    return tokens.TokenVault(ledger.engine, tokens.TokenCipher(keys))


@pytest.fixture
def stored(ledger: Ledger) -> Ledger:
    with ledger.begin() as connection:
        tokens.store(connection, ledger.realm, TOKENS, tokens.TokenCipher(KEY))
    return ledger


def test_tokens_come_back_as_they_were_stored(stored: Ledger) -> None:
    assert _vault(stored).peek(stored.realm) == TOKENS


def test_the_database_holds_no_token_in_clear(stored: Ledger) -> None:
    with stored.begin() as connection:
        row = connection.execute(sa.text("SELECT * FROM connection_tokens")).mappings().one()

    assert not any(
        secret in bytes(row[name])
        for secret in (b"AB12", b"CD34")
        for name in ("access_token", "refresh_token")
    )


def test_tokens_do_not_show_when_they_are_printed() -> None:
    assert "AB12" not in repr(TOKENS)
    assert "CD34" not in repr(TOKENS)


def test_a_wrong_key_is_told_with_the_cure(stored: Ledger) -> None:
    with pytest.raises(SecretKeyError, match="former key"):
        _vault(stored, NEW_KEY).peek(stored.realm)


def test_a_text_that_is_no_key_is_refused_with_how_to_make_one() -> None:
    with pytest.raises(SecretKeyError, match="generate_key"):
        tokens.TokenCipher("not a key")


def test_a_new_key_before_the_old_one_still_reads_what_the_old_one_wrote(stored: Ledger) -> None:
    assert _vault(stored, f"{NEW_KEY},{KEY}").peek(stored.realm) == TOKENS


def test_once_rotated_under_a_new_key_the_old_one_is_needed_no_more(stored: Ledger) -> None:
    with _vault(stored, f"{NEW_KEY}, {KEY}").exclusive(stored.realm) as row:
        row.save(row.load())

    assert _vault(stored, NEW_KEY).peek(stored.realm) == TOKENS


def test_two_refreshes_of_one_company_wait_for_each_other(stored: Ledger) -> None:
    with _vault(stored).exclusive(stored.realm) as row:
        row.load()
        with stored.begin() as connection:
            connection.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
            second = tokens.TokenRow(connection, stored.realm, tokens.TokenCipher(KEY))
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                second.load()


def test_a_refresh_that_fails_keeps_the_former_tokens(stored: Ledger) -> None:
    rotated = tokens.Tokens("other", EXPIRY, "other", EXPIRY)
    with pytest.raises(RuntimeError), _vault(stored).exclusive(stored.realm) as row:  # noqa: PT012
        row.save(rotated)
        raise RuntimeError("the process dies before the lock is given back")

    assert _vault(stored).peek(stored.realm) == TOKENS


def test_a_company_without_tokens_says_so(ledger: Ledger) -> None:
    with pytest.raises(UnknownRealmError, match="Connect it again"):
        _vault(ledger).peek(ledger.realm)


def test_a_company_reads_only_its_own_tokens(stored: Ledger) -> None:
    stored.connect(OTHER)

    with pytest.raises(UnknownRealmError):
        _vault(stored).peek(OTHER)


def test_the_expiry_is_told_without_the_key(stored: Ledger) -> None:
    with stored.begin() as connection:
        assert tokens.refresh_expiry(connection, stored.realm) == EXPIRY


def test_all_tokens_come_under_the_first_key_in_one_go(stored: Ledger) -> None:
    stored.connect(OTHER)
    with stored.begin() as connection:
        tokens.store(connection, OTHER, TOKENS, tokens.TokenCipher(KEY))

    changed = tokens.re_encrypt(stored.engine, tokens.TokenCipher(f"{NEW_KEY},{KEY}"))

    assert changed == 2
    assert [_vault(stored, NEW_KEY).peek(realm) for realm in (stored.realm, OTHER)] == [TOKENS] * 2


def test_one_token_under_an_unknown_key_leaves_all_as_they_were(stored: Ledger) -> None:
    stored.connect(OTHER)
    third = Fernet.generate_key().decode()
    with stored.begin() as connection:
        tokens.store(connection, OTHER, TOKENS, tokens.TokenCipher(third))

    with pytest.raises(SecretKeyError):
        tokens.re_encrypt(stored.engine, tokens.TokenCipher(f"{NEW_KEY},{KEY}"))

    assert _vault(stored, KEY).peek(stored.realm) == TOKENS
    assert _vault(stored, third).peek(OTHER) == TOKENS
