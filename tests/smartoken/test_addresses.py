"""Requests that no page can make sense of get a page that says so."""

import pytest

PATHS = ["/playground/?model=a%00b", "/console/keys/?q=%00", "/models/%00/", "/admin/accounts/user/?q=%00"]


@pytest.mark.parametrize("path", PATHS)
def test_a_nul_reaches_no_page(client, db, path):
    response = client.get(path)
    assert response.status_code == 400
    assert "This request makes no sense here" in response.text


def test_what_only_looks_like_one_is_taken(client, db):
    assert client.get("/docs/search/?q=%2500").status_code == 200


def test_another_sites_name_is_refused_and_not_repeated(client, db):
    response = client.get("/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "makes no sense here" in response.text and "evil.example" not in response.text
