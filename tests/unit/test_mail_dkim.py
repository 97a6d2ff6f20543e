"""The DKIM key of a site: made once, the same for who signs and who publishes."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from cryptography.hazmat.primitives import serialization

from loading import load

dkim_key = load("plugins/lookup/dkim_key.py")


def test_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "dkim-ent1"
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(lambda _: dkim_key.private_key(path, 1024), range(4)))
    assert len(keys) == 1
    assert path.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["dkim-ent1"]


def test_the_record_is_of_the_key(tmp_path: Path) -> None:
    pem = dkim_key.private_key(tmp_path / "key", 2048)
    tags = dict(tag.strip().split("=", 1) for tag in dkim_key.record(pem).split(";"))
    assert (tags["v"], tags["k"]) == ("DKIM1", "rsa")
    published = serialization.load_der_public_key(base64.b64decode(tags["p"]))
    own = serialization.load_pem_private_key(pem.encode(), password=None).public_key()
    assert published.public_numbers() == own.public_numbers()
    assert published.key_size == 2048


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("not a key\n")
    lookup = dkim_key.LookupModule()
    lookup.set_options = lambda **_: None
    lookup.get_option = {"bits": 2048, "record": True}.__getitem__
    with pytest.raises(AnsibleLookupError, match=f"{path} cannot be used"):
        lookup.run([str(path)])
