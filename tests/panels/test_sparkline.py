"""Small curves: drawn to scale, short, and only when there is something to draw."""

from __future__ import annotations

from urllib.parse import unquote

from qbo_sync_dagster.panels.sparkline import sparkline


def test_the_highest_value_stands_at_the_top_and_zero_at_the_bottom() -> None:
    drawn = unquote(sparkline({"red": [0, 5, 10]}))

    assert "stroke='red' points='0,34,120,18,240,2'" in drawn


def test_curves_share_one_scale() -> None:
    drawn = unquote(sparkline({"red": [0, 10], "blue": [0, 5]}))

    assert "points='0,34,240,2'" in drawn
    assert "points='0,34,240,18'" in drawn


def test_one_point_makes_no_curve() -> None:
    assert sparkline({"red": [4]}) == ""
    assert sparkline({}) == ""


def test_two_curves_of_six_hours_are_short() -> None:
    assert len(sparkline({"red": list(range(24)), "blue": list(range(24))})) < 700


def test_a_picture_can_not_end_its_own_address() -> None:
    address = sparkline({"red": [1, 2]}).removeprefix("![](").removesuffix(")")

    assert not set(address) & set(' ()<>"')
