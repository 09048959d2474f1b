"""The sums by model are the roll-ups', whatever is added or corrected; the demo's are left out."""

from collections import defaultdict
from datetime import datetime, timedelta
from importlib import import_module

from django.apps import apps

from billing import modelsums, rollups
from billing.models import ModelSum, Rollup
from tests.billing.adding import NOON


def stored() -> dict[tuple[str, datetime, str], tuple[int, ...]]:
    rows = ModelSum.objects.values_list("span", "starts_at", "model", *modelsums.KEPT)
    return {row[:3]: row[3:] for row in rows if any(row[3:])}


def added_up() -> dict[tuple[str, datetime, str], tuple[int, ...]]:
    sums: dict[tuple[str, datetime, str], list[int]] = defaultdict(lambda: [0] * len(modelsums.KEPT))
    for hour, model, *figures in Rollup.objects.exclude(upstream="demo").values_list("hour", "model", *modelsums.KEPT):
        for place in (("hour", hour, model), ("day", hour.replace(hour=0), model)):
            sums[place] = [a + b for a, b in zip(sums[place], figures, strict=True)]
    return {place: tuple(figures) for place, figures in sums.items() if any(figures)}


def test_they_are_the_rollups_of_the_hour_and_the_day(write, clock) -> None:
    clock.now = NOON
    for minutes in range(0, 3000, 37):
        write(NOON - timedelta(minutes=minutes))
    rollups.roll_up()
    assert stored() == added_up() != {}


def test_the_demo_counts_for_no_model(write, clock) -> None:
    clock.now = NOON
    write(NOON - timedelta(minutes=5), upstream="demo", demo=True)
    rollups.roll_up()
    assert Rollup.objects.exists() and not stored()


def test_a_correction_moves_them_too(write, clock) -> None:
    clock.now = NOON
    record = write(NOON - timedelta(minutes=5), status="failed", http_status=502)
    rollups.roll_up()
    record.status, record.http_status = "failed", 400
    record.save()
    rollups.note_correction(record.created_at)
    clock.forward(hours=2)
    rollups.roll_up()
    rollups.rebuild(NOON.date())
    assert ModelSum.objects.get(span="day").client_errors == 1
    assert stored() == added_up()


def test_a_site_that_had_rollups_before_gets_them_once(write, clock) -> None:
    clock.now = NOON
    for minutes in range(0, 3000, 37):
        write(NOON - timedelta(minutes=minutes))
    rollups.roll_up()
    ModelSum.objects.all().delete()
    import_module("billing.migrations.0007_speed_of_models").fill(apps, None)
    assert stored() == added_up()
