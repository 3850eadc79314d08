"""How often each act comes up on a day: one row per act."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.year import acts, bookkeepers, cheques, staff
from benchmarks.year.day import Act


@dataclass(frozen=True, slots=True)
class Habit:
    """An act and how often it comes up, against the others."""

    act: Act
    weight: int


ACTS = (
    Habit(acts.bill, 40),
    Habit(cheques.pay, 25),
    Habit(cheques.pay_several, 6),
    Habit(acts.receive_in_algapsa, 12),
    Habit(cheques.edit_cheque, 5),
    Habit(cheques.undo_cheque, 5),
    Habit(bookkeepers.edit_document, 5),
    Habit(bookkeepers.sell_elsewhere, 4),
    Habit(staff.decide, 30),
    Habit(staff.look_for_orphan, 4),
    Habit(acts.void_in_algapsa, 3),
    Habit(acts.bounce, 3),
    Habit(acts.credit, 5),
    Habit(acts.use_credit, 6),
    Habit(acts.take_credit_back, 2),
    Habit(bookkeepers.spend_memo, 2),
    Habit(bookkeepers.spend_exported_memo, 2),
    Habit(acts.bill_new_service, 3),
    Habit(staff.close_gap, 8),
    Habit(acts.bill_new_client, 2),
    Habit(bookkeepers.lose_document, 2),
    Habit(acts.reprice, 2),
    Habit(staff.change_default, 2),
    Habit(staff.storm, 3),
    Habit(acts.refund, 2),
    Habit(acts.reopen, 2),
    Habit(acts.finalize_again, 4),
    Habit(acts.delete, 1),
    Habit(bookkeepers.close_books, 2),
    Habit(bookkeepers.open_books, 1),
    Habit(staff.send_batch, 2),
    Habit(cheques.enter_twice, 4),
    Habit(cheques.date_cheque, 2),
    Habit(cheques.meddle, 4),
    Habit(cheques.apply_rest, 4),
    Habit(acts.bounce_part, 2),
    Habit(bookkeepers.move_to_other_customer, 1),
    Habit(bookkeepers.retire_customer, 1),
    Habit(bookkeepers.bring_customer_back, 2),
    Habit(bookkeepers.alter_what_just_arrived, 3),
)
