"""Whether a payment found in QuickBooks is the one that an application of ours became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CreditIdentity:
    """What the payment of an application is recognised by; QuickBooks' ids, minor units."""

    marker: str
    memo_id: str
    invoice_id: str
    minor: int

    def as_json(self) -> dict[str, Any]:
        """The identity as a posting stores it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CreditIdentity:
        """The identity that a posting stores."""
        return cls(**stored)


@dataclass(frozen=True, slots=True)
class SeenCredit:
    """A payment of nothing as QuickBooks shows it, with the markers in its note."""

    payment_id: str
    markers: tuple[str, ...]
    credit_lines: tuple[tuple[str, int], ...]
    invoice_lines: tuple[tuple[str, int], ...]

    def is_exactly(self, identity: CreditIdentity) -> bool:
        """Whether it brings this amount of this memo to this invoice and does nothing else."""
        return self.credit_lines == ((identity.memo_id, identity.minor),) and (
            self.invoice_lines == ((identity.invoice_id, identity.minor),)
        )


def find_credit(identity: CreditIdentity, seen: Sequence[SeenCredit]) -> tuple[str, ...]:
    """The payments that are the application's: with its marker, else the same without any.

    A copy bears the marker, too, so one that is as it was sent comes first. Without such a one it
    is ours with other amounts: taken for absent it would be sent a second time.
    """
    marked = [each for each in seen if identity.marker in each.markers]
    alike = [each for each in seen if each.is_exactly(identity)]
    own = [each for each in marked if each in alike] or marked
    own = own or [each for each in alike if not each.markers]
    return tuple(each.payment_id for each in own)
