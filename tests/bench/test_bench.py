"""scripts/bench takes its arguments and prints figures; what they are is not tested."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.scripts.tree import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from tests.bench import peers, ratios
from tests.bench.report import Report

FIGURES = ("cpu_s_per_1000", "rps", "p50_ms", "p95_ms", "p99_ms", "rss_mb")
QUICK = ("--runs", "1", "--seconds", "0.2", "--connections", "2", "--json")


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/benching.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bogus"],
        ["floor", "--runs", "0"],
        ["floor", "--seconds", "soon"],
        ["gateway", "--only", "floor,bogus"],
        ["gateway", "--connections", "1,,2"],
        ["stream", "--event", "5"],
        ["concurrency", "--streams", "400"],
        ["concurrency", "--streams", "400x0"],
        ["money", "--steps", "0"],
        ["money", "--steps", "many"],
        ["money", "--records", "-1"],
        ["pages", "--records", "0"],
        ["growth", "--records", "10,5"],
        ["growth", "--records", "0,,5"],
    ],
)
def test_a_wrong_argument_is_told_in_one_line(arguments):
    refused = bench(*arguments)
    assert refused.returncode == 2
    assert refused.stderr.startswith("scripts/bench: ")
    assert refused.stderr.count("\n") == 1
    assert refused.stdout == ""


def test_arguments_are_checked_by_any_python_before_anything_is_installed():
    command = [sys.executable, "-S", "scripts/benching.py", "--check", "gateway"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_the_floor_is_measured_without_wrk(tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    told = bench("stream", "--only", "floor,portkey", "--events", "20", *QUICK, PATH=str(tmp_path))
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    [row] = report["rows"]
    assert (row["system"], row["connections"]) == ("floor", 2)
    assert all(row[name] >= 0 for name in (*FIGURES, "cpu_s_per_1000_events"))
    assert report["missing"] == ["portkey (node is not installed)"]
    assert "run 1 of 1: floor" in told.stderr


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_gateway_is_measured_beside_the_floor(database):
    told = bench("gateway", "--only", f"floor,smartoken-{database}", *QUICK, PATH=os.environ["PATH"])
    assert told.returncode == 0, told.stderr
    floor, ours = json.loads(told.stdout)["rows"]
    assert (floor["system"], ours["system"]) == ("floor", f"smartoken-{database}")
    assert all(ours[name] >= 0 for name in (*FIGURES, "cpu_in_floors"))


def test_a_report_in_which_all_is_left_out_is_printed(tmp_path):
    told = bench("gateway", "--only", "portkey", *QUICK[:-1], PATH=str(tmp_path))
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("left out: portkey (node is not installed)")


@pytest.mark.slow  # makes an environment
def test_a_peer_that_cannot_be_installed_is_told_with_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "HOMES", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert peers.prepare_litellm().startswith(f"could not be installed: see {tmp_path}/litellm.log")
    assert "No matching distribution" in (tmp_path / "litellm.log").read_text()


def test_peers_are_pinned_without_addresses():
    lines = [line for line in (peers.PINS / "litellm.txt").read_text().splitlines() if not line.startswith("#")]
    assert all("==" in line and "://" not in line for line in lines)
    pins = json.loads((peers.PINS / "portkey.json").read_text())
    assert all(version[0].isdigit() for part in ("dependencies", "overrides") for version in pins[part].values())


def test_ratios_are_those_of_one_turn():
    turn = [
        {"system": name, "connections": 64, "cpu_s_per_1000": cost}
        for name, cost in (("smartoken-postgresql", 0.5), ("floor", 0.25), ("litellm", 10.0))
    ]
    ratios.add(turn)
    assert (turn[0]["cpu_in_floors"], turn[0]["cpu_in_litellms"]) == (2, 0.05)
    [note] = ratios.tell(turn, goals=True)
    assert "2 times the CPU of floor (goal: 2 times), 1/20 of the CPU of litellm (goal: 1/20)" in note


def test_rows_with_different_figures_share_a_table():
    table = Report("gateway", 1, [{"system": "a", "x": 1.0}, {"system": "b", "y": 2.0}], load="none").as_table()
    assert table.splitlines()[2:4] == ["a       1  -", "b       -  2"]


def test_the_load_is_named():
    told = bench("floor", *QUICK)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["load"].startswith("wrk" if shutil.which("wrk") else "our own client")


@pytest.mark.slow
def test_what_is_added_is_told_beside_the_upstream_itself():
    few = ("--streams", "4x20", "--tokens", "100", "--only", "floor", "--runs", "1", "--seconds", "0.2", "--json")
    told = bench("concurrency", *few)
    assert told.returncode == 0, told.stderr
    rows = json.loads(told.stdout)["rows"]
    kinds = ("one client", "100 tokens", "4 streams, 20 events/s")
    assert [(row["what"], row["system"]) for row in rows] == [(k, s) for k in kinds for s in ("direct", "floor")]
    assert all(isinstance(row[name], float) for row in rows for name in ("p50_ms", "added_p99_ms", "rss_mb"))
    assert isinstance(rows[-1]["added_gap_p99_ms"], float)


@pytest.mark.slow
def test_every_page_answers_beside_usage_records():
    told = bench("pages", "--records", "500", "--runs", "1", "--json")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert report["missing"] == []
    assert {"/", "/models/", "/console/", "/console/usage/?status=failed"} <= {row["page"] for row in report["rows"]}
    assert all(row["p50_ms"] > 0 and row["kb"] > 0 for row in report["rows"])


@pytest.mark.slow
def test_growth_tells_a_row_for_each_step():
    told = bench("growth", "--records", "0,300,600", "--runs", "1", "--seconds", "0.2", "--connections", "2", "--json")
    assert told.returncode == 0, told.stderr
    rows = json.loads(told.stdout)["rows"]
    assert [row["records"] for row in rows] == [0, 300, 600]
    figures = (*FIGURES, "dashboard_ms", "usage_ms", "wallet_ms", "forget_ms_per_1000")
    assert all(row[name] >= 0 for row in rows for name in figures)


@pytest.mark.slow
def test_the_money_is_driven_on_both_databases():
    told = bench("money", "--steps", "50", "--seconds", "0.2", "--records", "1000", "--json")
    assert told.returncode == 0, told.stderr
    rows = json.loads(told.stdout)["rows"]
    assert [(row["system"], row["steps"]) for row in rows] == [("smartoken-sqlite", 50), ("smartoken-postgresql", 50)]
    assert all(row[name] > 0 for row in rows for name in ("pairs_per_s", "p50_ms", "longest_ms", "in_the_night_ms"))
    assert rows[1]["syncs_per_pair"] >= 2  # a hold and a settle, each durable
    assert "50 steps on smartoken-sqlite" in told.stderr
