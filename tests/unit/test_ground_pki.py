"""The certificates of the role pki: what is signed, what is renewed, what is refused."""

from __future__ import annotations

import base64
import datetime as dt
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loading import load

ent_pki = load("roles/pki/action_plugins/ent_pki.py")
NAMES = ["cas.univ-provence.fr", "sso1.univ-provence.fr"]


@pytest.fixture
def authority(tmp_path: Path) -> Any:
    return ent_pki.LabAuthority(tmp_path / "pki", "test", ["univ-provence.fr"], 3650)


def _request(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ignored")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _public(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
def found(authority: Any) -> dict[str, Any]:
    """What a host with a good certificate reports."""
    key = ec.generate_private_key(ec.SECP256R1())
    cert = authority.sign(_request(key), NAMES, 365)
    return {"cert": cert, "fullchain": cert, "public_key": _public(key)}


def _why(found: dict[str, Any], authority: Any, **changed: Any) -> str | None:
    arguments = {"names": NAMES, "authority": authority.load()[0], "renew_days": 30} | changed
    reason: str | None = ent_pki.why_renew(found, **arguments)
    return reason


def test_openssl_verifies_chain_and_names(
    authority: Any, found: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "cert.pem").write_text(found["cert"])
    verify = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver"]
    verify += ["-CAfile", str(tmp_path / "pki" / "ca.pem")]
    for name, good in ((NAMES[0], True), (NAMES[1], True), ("ent.univ-provence.fr", False)):
        run = subprocess.run(
            [*verify, "-verify_hostname", name, str(tmp_path / "cert.pem")],
            capture_output=True,
            check=False,
        )
        assert (run.returncode == 0) == good, name


def test_authority_key_is_private(authority: Any, tmp_path: Path) -> None:
    authority.load()
    assert (tmp_path / "pki" / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_authority_is_made_once(authority: Any) -> None:
    assert authority.load()[0] == authority.load()[0]


def test_name_constraints_bind_clients(authority: Any, tmp_path: Path) -> None:
    """A certificate for a foreign name is refused by openssl even if the key should sign it."""
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "bad.pem").write_text(authority.sign(_request(key), ["www.example.org"], 30))
    run = subprocess.run(
        ["openssl", "verify", "-CAfile", str(tmp_path / "pki/ca.pem"), str(tmp_path / "bad.pem")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "permitted subtree violation" in run.stderr


@pytest.mark.parametrize("name", ["www.example.org", "evil-univ-provence.fr", "provence.fr"])
def test_foreign_names_are_refused_before_anything_is_done(authority: Any, name: str) -> None:
    with pytest.raises(AnsibleActionFail, match=name):
        authority.check([NAMES[0], name])


def test_domain_itself_may_be_signed(authority: Any) -> None:
    authority.check(["univ-provence.fr", "a.b.univ-provence.fr"])


def test_request_with_a_broken_signature_is_refused(authority: Any) -> None:
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    good = x509.load_pem_x509_csr(_request(key).encode())
    stolen = x509.load_pem_x509_csr(_request(other).encode())
    der = good.public_bytes(serialization.Encoding.DER)
    forged = der.replace(good.signature, stolen.signature)
    if len(forged) != len(der):  # signatures differ in length: flip a bit instead
        forged = der[:-1] + bytes([der[-1] ^ 1])
    text = ssl_pem(forged)
    with pytest.raises(AnsibleActionFail, match="not signed by its own key"):
        authority.sign(text, NAMES, 365)


def ssl_pem(der: bytes) -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def test_good_certificate_is_kept(authority: Any, found: dict[str, Any]) -> None:
    assert _why(found, authority) is None


def test_absent_certificate_is_issued(authority: Any) -> None:
    nothing = {"cert": None, "fullchain": None, "public_key": None}
    assert _why(nothing, authority) == "absent or incomplete"


def test_few_days_left(authority: Any, found: dict[str, Any]) -> None:
    assert _why(found, authority, renew_days=364) is None
    assert _why(found, authority, renew_days=366) == "365 days left"


def test_other_names(authority: Any, found: dict[str, Any]) -> None:
    assert _why(found, authority, names=[*NAMES, "new.univ-provence.fr"]) == "other names"
    assert _why(found, authority, names=NAMES[:1]) == "other names"


def test_half_installed_pair(authority: Any, found: dict[str, Any]) -> None:
    found["public_key"] = _public(ec.generate_private_key(ec.SECP256R1()))
    assert _why(found, authority) == "key and certificate do not match"


def test_chain_left_behind(authority: Any, found: dict[str, Any]) -> None:
    found["fullchain"] = "something older"
    assert _why(found, authority) == "chain of another certificate"


def test_damaged_certificate(authority: Any, found: dict[str, Any]) -> None:
    found["cert"] = "rubbish"
    assert _why(found, authority) == "unreadable"


def test_new_authority_of_the_same_name(
    authority: Any, found: dict[str, Any], tmp_path: Path
) -> None:
    new = ent_pki.LabAuthority(tmp_path / "new", "test", ["univ-provence.fr"], 3650)
    assert _why(found, new) == "signed by another authority"


def test_lost_authority_key_is_named(authority: Any, tmp_path: Path) -> None:
    authority.load()
    (tmp_path / "pki" / "ca-key.pem").unlink()
    with pytest.raises(AnsibleActionFail, match=r"ca-key\.pem is missing"):
        authority.load()


def test_killed_while_the_authority_was_made(authority: Any, tmp_path: Path) -> None:
    """A key without its certificate is what a kill leaves; the next run starts anew."""
    authority.load()
    (tmp_path / "pki" / "ca.pem").unlink()
    cert, key = authority.load()
    assert ent_pki.spki(key.public_key()) == ent_pki.spki(cert.public_key())


# ---- files given by the administrator


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., Path]:
    """Write NAME.key and NAME.pem as an administrator would; arguments spoil one thing each."""

    def write(
        *,
        names: list[str] | None = None,
        days: int = 90,
        other_key: bool = False,
        bare: bool = False,
    ) -> Path:
        start = dt.datetime.now(dt.UTC) - dt.timedelta(days=100)
        end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        subjects = [
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            for name in ("root", "intermediate", "leaf")
        ]

        def cert(index: int, issuer: int, until: dt.datetime) -> x509.Certificate:
            builder = (
                x509.CertificateBuilder()
                .subject_name(subjects[index])
                .issuer_name(subjects[issuer])
                .public_key(keys[index].public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(start)
                .not_valid_after(until)
            )
            if index == 2:
                wanted = [x509.DNSName(name) for name in names or NAMES[:1]]
                builder = builder.add_extension(x509.SubjectAlternativeName(wanted), critical=False)
            return builder.sign(keys[issuer], hashes.SHA256())

        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=900)
        root, intermediate, leaf = cert(0, 0, later), cert(1, 0, later), cert(2, 1, end)
        key = ec.generate_private_key(ec.SECP256R1()) if other_key else keys[2]
        (tmp_path / f"{NAMES[0]}.key").write_bytes(_private(key))
        chain = [leaf] if bare else [leaf, intermediate]
        (tmp_path / f"{NAMES[0]}.pem").write_text("".join(ent_pki.pem(c) for c in chain))
        (tmp_path / "root.pem").write_text(ent_pki.pem(root))
        return tmp_path

    return write


def _check(folder: Path, wanted: list[str] | None = None) -> dict[str, str]:
    roots = ent_pki.load_chain((folder / "root.pem").read_text())
    files: dict[str, str] = ent_pki.check_given(NAMES[0], wanted or NAMES[:1], folder, roots)
    return files


def test_given_files_are_taken(given: Callable[..., Path]) -> None:
    files = _check(given())
    assert files["chain"].count("BEGIN CERTIFICATE") == 1


def test_given_wildcard_covers_one_label(given: Callable[..., Path]) -> None:
    folder = given(names=["*.univ-provence.fr"])
    _check(folder)
    with pytest.raises(AnsibleActionFail, match=r"does not cover a\.b\.univ-provence\.fr"):
        _check(folder, ["a.b.univ-provence.fr"])


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        ({"other_key": True}, "is not the key of the first certificate"),
        ({"days": -1}, "expired on"),
        ({"names": ["other.univ-provence.fr"]}, "does not cover cas.univ-provence.fr"),
        ({"bare": True}, "not a trusted authority"),
    ],
)
def test_given_files_that_cannot_serve(
    given: Callable[..., Path], spoiled: dict[str, Any], message: str
) -> None:
    with pytest.raises(AnsibleActionFail, match=message):
        _check(given(**spoiled))


def test_given_chain_in_the_wrong_order(given: Callable[..., Path]) -> None:
    folder = given()
    path = folder / f"{NAMES[0]}.pem"
    first, second = ent_pki.PEM_BLOCK.findall(path.read_text())
    path.write_text(second + first)
    with pytest.raises(AnsibleActionFail, match="server's own certificate must come first"):
        _check(folder)


def test_given_file_missing(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match=r"cas\.univ-provence\.fr\.key does not exist"):
        ent_pki.check_given(NAMES[0], NAMES[:1], tmp_path, [])


def test_given_files_already_on_the_host(given: Callable[..., Path]) -> None:
    files = _check(given())
    key = serialization.load_pem_private_key(files["key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    host = {
        "cert": files["cert"],
        "fullchain": files["cert"] + files["chain"],
        "public_key": _public(key),
    }
    assert ent_pki.same(host, files)
    assert not ent_pki.same(host | {"fullchain": files["cert"]}, files)
    assert not ent_pki.same(host | {"public_key": None}, files)
