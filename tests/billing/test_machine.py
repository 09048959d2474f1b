"""Five hundred steps of the machine, 2,500 on each database in the whole suite; ``scripts/bench money`` takes more."""

import os
import sys

import pytest

from tests.billing.machine import run_steps

STEPS = int(os.environ.get("SMARTOKEN_MACHINE_STEPS", "500"))
TOLD_EVERY = 1000


class Progress:
    """Tells the steps by the thousand, for whoever waits for many."""

    told = 0

    def __call__(self, done: int) -> None:
        if done >= self.told + TOLD_EVERY:
            self.told = done
            sys.stderr.write(f"\nsteps: {done}\n")


@pytest.mark.django_db
def test_money_stays_right_whatever_happens() -> None:
    assert run_steps(STEPS, Progress()) >= STEPS
