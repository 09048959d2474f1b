"""What holds for the files of the project themselves."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from smartoken.environment import SETTINGS

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.lock", "requirements-dev.lock"]
REGISTRIES = re.compile(r"(pypi|npmjs|pythonhosted|npmmirror|debian)\.(org|com)/", re.IGNORECASE)
HOMES = re.compile(r"/(home|Users|work)/[a-z]+/|/root/")
OPTIONS = re.compile(r"--(extra-)?index-url|--find-links|\"resolved\":")
ASKED_FOR = ["django", "djangorestframework", "django-environ", "httpx", "psycopg", "celery", "redis", "whitenoise"]


def committed_files() -> list[Path]:
    """Return what git knows; everything but made folders where the project came without its history."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name]
    made = {".git", ".venv", ".cache", "var", "node_modules", "__pycache__"}
    return [path for path in ROOT.rglob("*") if not made & set(path.relative_to(ROOT).parts)]


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.\[\]-]+)==([^ ;\\]+)", (ROOT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    packages = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert packages
    assert all("==" in line for line in packages)
    assert text.count("--hash=sha256:") >= len(packages)


def test_both_lock_files_pin_the_same_versions() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_no_committed_file_names_a_package_registry() -> None:
    for path in committed_files():
        if path == Path(__file__) or not path.is_file() or path.suffix in (".woff2", ".png"):
            continue
        text = path.read_text(errors="replace")
        assert not REGISTRIES.search(text), path
        if path.name not in ("Dockerfile",):
            assert not OPTIONS.search(text), path


def test_no_committed_file_names_a_folder_of_somebodys_machine() -> None:
    for path in committed_files():
        if path != Path(__file__) and path.suffix in (
            ".py",
            ".md",
            ".toml",
            ".html",
            ".js",
            ".css",
            ".json",
            ".lock",
            "",
        ):
            assert not HOMES.search(path.read_text(errors="replace") if path.is_file() else ""), path


def test_the_packages_that_were_asked_for_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=; ]", package)[0] for package in project["dependencies"]}
    assert set(ASKED_FOR) <= names
    assert "pytest-django" in project["optional-dependencies"]["dev"]


def test_the_named_python_is_one_that_the_project_takes() -> None:
    version = (ROOT / ".python-version").read_text().strip()
    assert version == "3.13"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_says_what_it_does(setting) -> None:
    assert setting.help.endswith(".")
