"""What a shell sees: one line on stderr, nothing on stdout, an exit code above 0."""

import os
import subprocess
import sys

import pytest

SECRET = "sk-canary-7f3a"


@pytest.fixture
def run(tmp_path):
    environment = os.environ | {"SMARTOKEN_DATA": str(tmp_path), "DATABASE_URL": "", "DEEPSEEK_API_KEY": SECRET}

    def call(*arguments):
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return call


def test_a_folder_without_a_database_is_named(run, tmp_path):
    done = run("usage", "--email=a@b.co")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"manage.py usage: there is no database {tmp_path}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "smartoken.sqlite3").exists()


def test_an_empty_database_is_named(run, tmp_path):
    (tmp_path / "smartoken.sqlite3").touch()
    done = run("createkey", "--email=a@b.co")
    assert done.returncode == 1
    assert "run manage.py migrate" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_option_is_one_line(run):
    done = run("createkey", "--email=a@b.co", "--rpm=many")
    assert done.returncode == 1
    assert done.stderr == "manage.py createkey: --rpm: 'many' is not a whole number from 1 to 2147483647\n"


COUNT = """
import django
django.setup()
from smartoken.commands import OneLineCommand

class Command(OneLineCommand):
    def handle(self, **options):
        for number in range({lines}):
            self.stdout.write(str(number))

Command().run_from_argv(["manage.py", "count"])
"""


@pytest.mark.parametrize("lines", [3, 100_000])
def test_a_reader_that_has_enough_is_no_error(tmp_path, lines):
    (tmp_path / "smartoken.sqlite3").touch()
    names = {"SMARTOKEN_DATA": str(tmp_path), "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "smartoken.settings"}
    command = [sys.executable, "-c", COUNT.format(lines=lines)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=os.environ | names, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.slow
def test_a_shell_session_from_nothing_to_a_key(run):
    assert run("migrate", "-v0").returncode == 0
    loaded = run("loadcatalog")
    assert SECRET not in loaded.stdout + loaded.stderr
    assert "route deepseek → deepseek-env" in loaded.stdout
    assert run("loadcatalog").stdout == ""
    assert run("createkey", "--email=a@b.co").stdout.splitlines()[-1].startswith("sk-smt-")
