"""A passkey as a browser hands it over, made without one."""

import json
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import sha256, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from accounts.models import User

FLAG = AuthenticatorData.FLAG


def make_credential(*, challenge: str = "", origin: str = "http://localhost") -> dict[str, Any]:
    """Return what a browser answers when it is asked for a new passkey."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    identity = sha256(origin.encode())[:16]
    attested = AttestedCredentialData.create(Aaguid.NONE, identity, ES256.from_cryptography_key(public))
    flags = FLAG.UP | FLAG.UV | FLAG.AT
    data = AuthenticatorData.create(sha256(b"localhost"), flags, 0, attested)
    return {
        "id": websafe_encode(identity),
        "rawId": websafe_encode(identity),
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(CollectedClientData.create("webauthn.create", challenge, origin)),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
            "transports": ["internal"],
        },
        "clientExtensionResults": {"credProps": {"rk": True}},
    }


def add_passkey(user: User, *, name: str = "Passkey") -> Authenticator:
    """Write a passkey of this person."""
    data = {"name": name, "credential": json.loads(json.dumps(make_credential()))}
    return Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)
