"""Lookup: a DKIM key of the site, made at first use, or its DNS record."""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

DOCUMENTATION = """
name: dkim_key
short_description: a DKIM key of the site, made at first use, or its DNS record
description:
  - Returns the private key (RSA, PEM) in a file of the controller, beside the other generated
    secrets, and makes it when it is not there. The mail server that signs and the name server that
    publishes so agree, whichever is installed first.
  - Remove the file (and choose another selector) to change the key.
options:
  _terms:
    description: Path of the file.
    required: true
  record:
    description: Return the text of the DNS record (RFC 6376, 3.6.1) instead of the private key.
    type: bool
    default: false
  bits:
    description: Length of a new key. 2048 is what verifiers must accept and DNS carries (RFC 8301).
    type: int
    default: 2048
"""

EXAMPLES = """
private_key: "{{ lookup('dkim_key', ent_secrets_dir ~ '/dkim-ent1') }}"
dns_record: "{{ lookup('dkim_key', ent_secrets_dir ~ '/dkim-ent1', record=true) }}"
"""

RETURN = """
_raw:
  description: One PEM text, or one record, for each path.
  type: list
  elements: str
"""


def private_key(path: Path, bits: int) -> str:
    """PEM text of the key in a file, made if it is not there.

    Two runs at a time end with the same key: who comes second takes the first one's.
    """
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # a name of its own, readable by its owner alone: threads of one process make keys too
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.") as own:
            own.write(text)
            own.flush()
            with contextlib.suppress(FileExistsError):
                os.link(own.name, path)
    return path.read_text(encoding="ascii")


def record(pem: str) -> str:
    """The DNS record of a private key.

    Raises:
        ValueError: the text is no unencrypted private key in PEM.

    """
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[str]:
        """Return the keys, or the records, of the files in terms."""
        self.set_options(var_options=variables, direct=kwargs)
        found = []
        for term in terms:
            path = Path(term)
            try:
                pem = private_key(path, self.get_option("bits"))
                found.append(record(pem) if self.get_option("record") else pem)
            except (OSError, ValueError) as error:
                raise AnsibleLookupError(
                    f"dkim_key: {path} cannot be used: {error}. It has to be an RSA key in PEM, "
                    "without a passphrase; remove it to have a new one made"
                ) from error
        return found
