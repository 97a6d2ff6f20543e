"""The name of a person in an address: /personne/REFERENCE, /activer/REFERENCE.

A login in an address would let anybody try logins one by one, and pages that
people pass on would carry them. A reference says nothing to whoever has no
key, is the same each time, and needs no table: it is the login, encrypted with
a synthetic initialisation vector (SIV, RFC 5297, with HMAC-SHA-256 in the place
of its block cipher), so that only references made here are accepted.

The key is derived from the application's secret key. A new secret key makes
new references; people then search again.
"""

import base64
import binascii
import functools
import hmac

from django.conf import settings

_TAG = 10  # bytes: 2**80 guesses for a reference that was not made here
_PADDED = 16  # so that the length of a login does not show
_LONGEST = 120


class NotAReference(ValueError):  # noqa: N818
    """Not made by reference_of, or with another key."""


def reference_of(uid: str) -> str:
    """The reference of a login: letters, digits, - and _; the same for the same login."""
    text = uid.lower().encode()
    padded = text.ljust(-(-len(text) // _PADDED) * _PADDED, b"\0")
    tag = _tag(padded)
    return base64.urlsafe_b64encode(tag + _mask(padded, tag)).decode().rstrip("=")


def uid_of(reference: str) -> str:
    """The login of a reference. Raises NotAReference."""
    if len(reference) > _LONGEST:
        raise NotAReference("too long")
    try:
        raw = base64.b64decode(
            reference + "=" * (-len(reference) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise NotAReference("not base64") from error
    tag, hidden = raw[:_TAG], raw[_TAG:]
    padded = _mask(hidden, tag)
    if not hidden or not hmac.compare_digest(tag, _tag(padded)):
        raise NotAReference("made with another key, or not at all")
    return padded.rstrip(b"\0").decode()


def _tag(padded: bytes) -> bytes:
    return hmac.digest(_keys()[0], padded, "sha256")[:_TAG]


def _mask(data: bytes, tag: bytes) -> bytes:
    stream = b"".join(
        hmac.digest(_keys()[1], tag + bytes([block]), "sha256")
        for block in range(-(-len(data) // 32))
    )
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))


@functools.cache
def _keys() -> tuple[bytes, bytes]:
    return tuple(  # type: ignore[return-value]
        hmac.digest(settings.SECRET_KEY.encode(), f"{__name__} {name}".encode(), "sha256")
        for name in ("tag", "mask")
    )
