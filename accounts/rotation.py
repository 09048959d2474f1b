"""A new secret for a key that is in use: the old one works on for a while, so that no program has to stop.

A key has one secret that was replaced at the most: who rotates again ends the one before.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.keys import PREFIX_LENGTH, KeyInputError, Secret, digest_secret, generate_secret
from accounts.models import APIKey

LONGEST_GRACE = timedelta(days=30)


@transaction.atomic
def rotate_key(*, key: APIKey, grace: timedelta, actor: str = audit.SITE) -> Secret:
    """Give the key a new secret and return it; the old one works until ``grace`` is over.

    Answers that run are not cut. Raises KeyInputError for a key without a secret, one that is revoked,
    or a grace out of range.
    """
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise KeyInputError(f"The old secret may work for {LONGEST_GRACE.days} days at the most.")
    before = audit.read_stored(key)
    stored = APIKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if stored.kind != APIKey.Kind.STANDARD or stored.revoked_at:
        raise KeyInputError("This key is revoked: it can't get another secret.")
    secret = generate_secret()
    APIKey.objects.filter(pk=key.pk).update(
        prefix=secret[:PREFIX_LENGTH],
        digest=digest_secret(secret),
        previous_prefix=stored.prefix,
        previous_digest=stored.digest,
        previous_until=timezone.now() + grace,
    )
    key.refresh_from_db()
    _record(key, before, actor)
    return secret


@transaction.atomic
def end_grace(*, key: APIKey, actor: str = audit.SITE) -> None:
    """End the secret that was replaced now. Twice is as good as once."""
    before, now = audit.read_stored(key), timezone.now()
    if APIKey.objects.filter(pk=key.pk, previous_until__gt=now).update(previous_until=now):
        key.refresh_from_db(fields=["previous_until"])
        _record(key, before, actor)


def _record(key: APIKey, before: audit.Values, actor: str) -> None:
    audit.record(
        actor=actor,
        action="key.rotate",
        target=f"API key {key}",
        organization=key.organization,
        before=before,
        after=audit.read_stored(key),
    )
