from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import ValidationError

from manyheads.model.losses import LOSSES
from manyheads.model.losses.cross_entropy import CrossEntropyOptions
from manyheads.model.losses.options import LossOptions
from manyheads.options import Options, choice


class Table(Options):
    loss: Annotated[LossOptions | None, choice(LOSSES)] = None


def test_a_member_is_chosen_by_its_name_or_by_a_table_and_written_as_short_as_possible() -> None:
    for given, written in (
        (None, None),
        ("mse", "mse"),
        ({"kind": "mse"}, "mse"),
        ({"kind": "cross_entropy", "gamma": 0.0}, "cross_entropy"),
        ({"kind": "cross_entropy", "gamma": 2.0}, {"kind": "cross_entropy", "label_smoothing": 0.0, "gamma": 2.0}),
    ):
        table = Table.model_validate({"loss": given})
        assert table.model_dump() == {"loss": written}
        assert Table.model_validate(table.model_dump()) == table
        assert Table.model_validate_json(table.model_dump_json()) == table
    assert isinstance(Table.model_validate({"loss": "cross_entropy"}).loss, CrossEntropyOptions)


def test_a_name_that_is_not_on_the_menu_is_kept_for_a_later_check() -> None:
    table = Table.model_validate({"loss": {"kind": "none", "gamma": 1}})
    assert table.loss == LossOptions(kind="none")


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (3, ["member_type"]),
        ({}, ["missing"]),
        ({"kind": "mse", "gamma": 1}, ["unknown_key"]),
        ({"kind": "cross_entropy", "gama": 1, "label_smoothing": 2}, ["unknown_key", "less_than"]),
    ],
)
def test_all_faults_are_reported_together(given: object, kinds: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Table.model_validate({"loss": given})
    assert [each["type"] for each in caught.value.errors()] == kinds
