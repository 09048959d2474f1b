import logging
from dataclasses import dataclass, replace

import pytest
from cryptography.fernet import Fernet

from routing.credentials import Credential, CredentialError, describe_credential, read_credential, seal, unseal
from routing.snapshot import DEMO_UPSTREAM

CANARY = "sk-canary-7f3a"


@dataclass
class Row:
    credential: bytes | None = None
    credential_env: str = ""


def test_it_opens_what_it_sealed():
    sealed = seal(CANARY)
    assert CANARY.encode() not in sealed
    assert unseal(sealed) == unseal(memoryview(sealed)) == CANARY


def test_nothing_prints_a_credential(caplog):
    credential = unseal(seal(CANARY))
    logging.getLogger("test").error("%r %s", credential, [credential])
    assert CANARY not in caplog.text + repr({"key": credential})
    assert f"Bearer {credential}" == f"Bearer {CANARY}"


def test_an_old_key_still_opens(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [old]
    sealed = seal(CANARY)
    settings.CREDENTIAL_KEYS = [new, old]
    assert unseal(sealed) == CANARY
    settings.CREDENTIAL_KEYS = [new]
    with pytest.raises(CredentialError, match="Enter the credential again") as caught:
        unseal(sealed)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "ключ", "a\x00"])
def test_it_refuses_what_no_header_carries(text):
    with pytest.raises(CredentialError) as caught:
        seal(text)
    assert not text.strip() or text not in str(caught.value)


def test_the_variables_current_value_counts(monkeypatch):
    row = Row(credential=seal("stored"), credential_env="SOME_API_KEY")
    monkeypatch.setenv("SOME_API_KEY", f" {CANARY}\n")
    assert read_credential(row) == CANARY
    assert type(read_credential(row)) is Credential
    assert describe_credential(row) == "from SOME_API_KEY"
    monkeypatch.delenv("SOME_API_KEY")
    assert read_credential(row) == "stored"
    assert describe_credential(row) == "stored"


@pytest.mark.parametrize("value", ["sk-canary-7f3a\nx: y", "ключ"])
def test_a_variable_that_no_header_carries_is_unreadable(monkeypatch, value):
    monkeypatch.setenv("SOME_API_KEY", value)
    with pytest.raises(CredentialError) as caught:
        read_credential(Row(credential_env="SOME_API_KEY"))
    assert value not in str(caught.value)


def test_an_upstreams_repr_shows_neither_its_credential_nor_its_proxys_password():
    upstream = replace(DEMO_UPSTREAM, credential=CANARY.encode(), proxy=f"http://user:{CANARY}@proxy:3128")
    assert CANARY not in repr(upstream)


def test_a_missing_credential_is_none(monkeypatch):
    monkeypatch.delenv("SOME_API_KEY", raising=False)
    assert read_credential(Row()) is None
    assert read_credential(Row(credential_env="SOME_API_KEY")) is None
    assert describe_credential(Row(credential_env="SOME_API_KEY")) == "missing: SOME_API_KEY is not set"
