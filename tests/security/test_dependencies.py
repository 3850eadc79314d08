"""What is installed: pinned by hash, and under licences that this project can be used with.

Known weaknesses are not asked for: that needs an advisory service, which a build may not reach.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_LOCK = (_ROOT / "requirements.lock").read_text()
_ENTRY = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(\[[a-z0-9,_-]+\])?==(?P<version>[A-Za-z0-9.+!]+)"
    r"( ; (?P<marker>[^\\]+?))? \\$"
)
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
# The driver of PostgreSQL is a library under the LGPL, linked and not changed.
_ALLOWED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|MPL|Mozilla|PSF|Python Software Foundation|LGPL|AFL)\b", re.IGNORECASE
)
_REFUSED = re.compile(r"\b(AGPL|Affero|GPL|GNU General)\b(?!.*exception)", re.IGNORECASE)


def _entries() -> list[str]:
    lines = [line for line in _LOCK.splitlines() if line and not line.lstrip().startswith("#")]
    return [line for line in lines if not line.startswith(" ")]


def _licence(package: Distribution) -> str:
    told = package.metadata
    classifiers = [c for c in told.get_all("Classifier") or [] if c.startswith("License ::")]
    named = [told.get("License-Expression"), *classifiers, told.get("License")]
    return next((name for name in named if name), "")


def test_every_package_is_pinned_to_one_version_with_its_hashes() -> None:
    entries = _entries()

    assert len(entries) > 50
    assert [line for line in entries if not _ENTRY.match(line)] == []
    for block in re.split(r"^(?=[A-Za-z0-9])", _LOCK, flags=re.MULTILINE)[1:]:
        hashes = [line for line in block.splitlines()[1:] if not line.lstrip().startswith("#")]
        assert hashes, block
        assert all(_HASH.match(line) for line in hashes), block


def test_nothing_comes_from_an_address_of_its_own() -> None:
    assert not re.search(r"(://|--index|--extra-index|--find-links|--trusted-host)", _LOCK)


def test_set_up_installs_by_hash_and_nothing_that_the_lock_does_not_name() -> None:
    recipe = (_ROOT / "Makefile").read_text()

    assert "--require-hashes" in recipe
    assert "--no-deps" in recipe


def test_every_installed_package_has_a_licence_that_this_project_can_be_used_with() -> None:
    # The lock's packages only: what else is on the machine is nobody's choice here.
    locked = {line.partition("==")[0].partition("[")[0].lower() for line in _entries()}
    found = {
        name: _licence(each)
        for each in distributions()
        if (name := re.sub(r"[-_.]+", "-", each.metadata["Name"] or "").lower()) in locked
    }

    assert len(found) > 50
    assert {name: told for name, told in found.items() if _REFUSED.search(told)} == {}
    assert {name: told for name, told in found.items() if not _ALLOWED.search(told)} == {}
