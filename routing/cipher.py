"""Encryption of what is stored: with the newest of CREDENTIAL_KEYS, readable with any of them."""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

__all__ = ["InvalidToken", "decrypt", "encrypt"]


def encrypt(data: bytes) -> bytes:
    return _fernet(tuple(settings.CREDENTIAL_KEYS)).encrypt(data)


def decrypt(sealed: bytes | memoryview) -> bytes:
    """Return what ``encrypt`` was given. Raises InvalidToken when none of the keys fits."""
    # PostgreSQL hands out a memoryview.
    return _fernet(tuple(settings.CREDENTIAL_KEYS)).decrypt(bytes(sealed))


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
