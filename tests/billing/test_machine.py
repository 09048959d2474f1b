"""Five hundred steps of the machine, 2,500 on each database in the whole suite; ``scripts/bench money`` takes more."""

import os

import pytest

from tests.billing.machine import run_steps

STEPS = int(os.environ.get("SMARTOKEN_MACHINE_STEPS", "500"))


@pytest.mark.django_db
def test_money_stays_right_whatever_happens() -> None:
    assert run_steps(STEPS) >= STEPS
