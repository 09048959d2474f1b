"""Joined static files: the same name and bytes in tests, in development and when collected."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import Client, override_settings
from whitenoise.storage import CompressedManifestStaticFilesStorage

from smartoken.joined import JOINED, join


@pytest.fixture
def lying(tmp_path, settings):
    """Two small parts, and a folder for what is joined from them."""
    settings.STATICFILES_DIRS, settings.JOINED_DIR = [tmp_path / "parts"], tmp_path / "joined"
    (tmp_path / "parts" / "css").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "parts" / "css" / f"{name}.css").write_text(f".{name} {{}}")
    finders.get_finder.cache_clear()
    yield tmp_path / "parts" / "css"
    finders.get_finder.cache_clear()


@pytest.mark.parametrize("path", JOINED)
def test_a_joined_file_holds_its_parts_in_order(path):
    body = b"".join(Client().get(f"/static/{path}"))
    places = [body.index(Path(finders.find(part)).read_bytes()) for part in JOINED[path]]
    assert places == sorted(places) and places[0] == 0


def test_a_changed_part_is_joined_anew(lying, monkeypatch):
    monkeypatch.setitem(JOINED, "css/all.css", ("css/a.css", "css/b.css"))
    assert join("css/all.css").read_text() == ".a {}\n.b {}"
    (lying / "b.css").write_text(".c {}")
    assert join("css/all.css").read_text() == ".a {}\n.c {}"


def test_what_is_collected_is_hashed_and_finds_its_fonts(tmp_path):
    storages = {"staticfiles": {"BACKEND": f"{__name__}.{Collected.__name__}"}}
    with override_settings(STATIC_ROOT=tmp_path, STORAGES=storages):
        call_command("collectstatic", "--noinput", "--verbosity", "0")
        name = staticfiles_storage.stored_name("css/frame.css")
    assert re.fullmatch(r"css/frame\.[0-9a-f]{12}\.css", name)
    fonts = re.findall(r'url\("\.\./(vendor/[^"]+)"\)', (tmp_path / name).read_text())
    assert fonts and all((tmp_path / font).exists() for font in fonts)


class Collected(CompressedManifestStaticFilesStorage):
    """Production's storage without the compressed copies, which take long."""

    def compress_files(self, paths):
        return iter(())
