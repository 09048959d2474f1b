"""Provider credentials: encrypted in rows or named in the environment, never shown again."""

import os
from typing import Protocol

from routing import cipher


class CredentialError(ValueError):
    """A credential that can't be used; the message never holds it."""


class Credential(str):
    """A secret of ours at a provider, never printed by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


class HasCredential(Protocol):
    """An upstream's row, or what the gateway remembers of it."""

    @property
    def credential(self) -> bytes | memoryview | None: ...
    @property
    def credential_env(self) -> str: ...


def check_credential(text: str) -> str:
    """Return the credential without blanks around it; raise CredentialError if no header can carry it."""
    secret = text.strip()
    if not secret:
        raise CredentialError("The credential is empty.")
    if not (secret.isascii() and secret.isprintable()):
        raise CredentialError("The credential holds characters that no HTTP header can carry.")
    return secret


def seal(secret: str) -> bytes:
    """Return the credential encrypted with the newest key, for ``Upstream.credential``. Raises CredentialError."""
    return cipher.encrypt(check_credential(secret).encode())


def unseal(sealed: bytes | memoryview) -> Credential:
    """Return what ``seal`` was given; a CredentialError when none of the keys fits."""
    try:
        return Credential(cipher.decrypt(sealed).decode())
    except cipher.InvalidToken:
        raise CredentialError(
            "The stored credential can't be decrypted: its key is no longer among SMARTOKEN_CREDENTIAL_KEYS"
            " (or secret/credential-key in SMARTOKEN_DATA). Enter the credential again."
        ) from None


def read_credential(upstream: HasCredential) -> Credential | None:
    """Return the value of the variable the upstream names, else what is stored with it, else None.

    Raises CredentialError when what is stored can't be decrypted, or no header can carry it.
    """
    named = os.environ.get(upstream.credential_env, "").strip() if upstream.credential_env else ""
    if named:
        return Credential(check_credential(named))
    return unseal(upstream.credential) if upstream.credential else None


def describe_credential(upstream: HasCredential) -> str:
    """Return where the credential comes from, for people: ``stored``, ``from NAME``, ``missing``…, never itself."""
    if upstream.credential_env and os.environ.get(upstream.credential_env, "").strip():
        return f"from {upstream.credential_env}"
    if upstream.credential:
        return "stored"
    return f"missing: {upstream.credential_env} is not set" if upstream.credential_env else "missing"
