"""Action ent_pki: certificates of one host, signed on the controller or given as files.

One module run on the host reports what is there; when all is well that is the
only round trip. Otherwise the host makes a new key and a signing request
(the key never leaves it), the controller signs, the host installs. With
provider "files" everything is validated on the controller before the first
change anywhere.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SYSTEM_TRUST = Path("/etc/ssl/certs/ca-certificates.crt")
PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


def now() -> dt.datetime:
    """The present moment, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def not_after(cert: x509.Certificate) -> dt.datetime:
    """End of a certificate's life, aware; also with cryptography before 42."""
    try:
        return cert.not_valid_after_utc
    except AttributeError:
        return cert.not_valid_after.replace(tzinfo=dt.UTC)


def days_left(cert: x509.Certificate) -> float:
    """Days until a certificate expires, negative when it has."""
    return (not_after(cert) - now()) / dt.timedelta(days=1)


def pem(cert: x509.Certificate) -> str:
    """PEM text of a certificate."""
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def load_chain(text: str) -> list[x509.Certificate]:
    """The certificates in a PEM text, in order."""
    return [x509.load_pem_x509_certificate(block.encode()) for block in PEM_BLOCK.findall(text)]


def dns_names(cert: x509.Certificate) -> set[str]:
    """The DNS names of a certificate."""
    try:
        extension = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}


def covers(names: set[str], wanted: str) -> bool:
    """Whether a set of certificate names, wildcards included, covers a host name."""
    return wanted.lower() in names or "*." + wanted.lower().partition(".")[2] in names


def below(name: str, domain: str) -> bool:
    """Whether a host name is a domain or lies below it."""
    return name == domain or name.endswith("." + domain)


def spki(key: Any) -> bytes:
    """A public key in its canonical encoding, to compare."""
    encoded: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def signed_by(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key signed a certificate. Says nothing about validity in time."""
    if cert.issuer != issuer.subject:
        return False
    key = issuer.public_key()
    algorithm = cert.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(cert.signature, cert.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
        else:
            key.verify(cert.signature, cert.tbs_certificate_bytes)  # type: ignore[call-arg,union-attr]
    except (InvalidSignature, TypeError):
        return False
    return True


def write_private(path: Path, text: str, mode: int) -> None:
    """Replace a file of the controller atomically."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path)


class LabAuthority:
    """The lab's certificate authority, a folder on the controller."""

    def __init__(self, folder: Path, name: str, domains: list[str], valid_days: int) -> None:
        self.folder = folder
        self.name = name
        self.domains = sorted(domain.lower() for domain in domains)
        self.valid_days = valid_days

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time: hosts are served in parallel."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """Certificate and key, made if absent. AnsibleActionFail when they cannot serve."""
        cert_file, key_file = self.folder / "ca.pem", self.folder / "ca-key.pem"
        with self._locked():
            # The certificate is written last: it alone says that the authority is complete.
            if not cert_file.exists():
                self._create(cert_file, key_file)
        cert = x509.load_pem_x509_certificate(cert_file.read_bytes())
        try:
            key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        except FileNotFoundError as error:
            raise AnsibleActionFail(
                f"pki: {key_file} is missing beside {cert_file}. Restore it, or remove "
                f"{cert_file} to have a new authority made; every host then needs a converge."
            ) from error
        matches = spki(key.public_key()) == spki(cert.public_key())
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not matches:
            raise AnsibleActionFail(f"pki: {key_file} is not the key of {cert_file}")
        if days_left(cert) < 1:
            raise AnsibleActionFail(
                f"pki: the authority {cert_file} ends on {not_after(cert):%Y-%m-%d}. Remove "
                f"{self.folder} to have a new one made, and converge every host."
            )
        return cert, key

    def _create(self, cert_file: Path, key_file: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        start = now() - dt.timedelta(hours=1)
        everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
        cert = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=self.valid_days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.NameConstraints(
                    permitted_subtrees=[x509.DNSName(domain) for domain in self.domains],
                    excluded_subtrees=[x509.IPAddress(network) for network in everything],
                ),
                critical=True,
            )
            .sign(key, hashes.SHA256())
        )
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        write_private(key_file, text, 0o600)
        write_private(cert_file, pem(cert), 0o644)

    def check(self, names: list[str]) -> None:
        """AnsibleActionFail when the authority cannot sign for all of these names."""
        cert, _key = self.load()
        trees = cert.extensions.get_extension_for_class(x509.NameConstraints).value
        domains = [
            tree.value for tree in trees.permitted_subtrees or [] if isinstance(tree, x509.DNSName)
        ]
        refused = [name for name in names if not any(below(name, domain) for domain in domains)]
        if refused:
            raise AnsibleActionFail(
                f"pki: the lab authority {self.folder}/ca.pem can sign for {', '.join(domains)} "
                f"only, not for {', '.join(refused)}. Correct the name; or add its domain to "
                f"pki_ca_domains, remove {self.folder} and converge every host."
            )

    def sign(self, request_pem: str, names: list[str], valid_days: int) -> str:
        """A server certificate for the key of a request and these names, the first as subject."""
        authority, key = self.load()
        request = x509.load_pem_x509_csr(request_pem.encode())
        if not request.is_signature_valid:
            raise AnsibleActionFail(
                f"pki: the signing request for {names[0]} is not signed by its own key"
            )
        start = now() - dt.timedelta(hours=1)
        end = min(start + dt.timedelta(days=valid_days), not_after(authority))
        public_key = request.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
            .issuer_name(authority.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
        )
        cert = builder.sign(key, hashes.SHA256())
        entry = (
            f"{now():%Y-%m-%dT%H:%M:%SZ} {cert.serial_number:x} {end:%Y-%m-%d} {' '.join(names)}"
        )
        with self._locked(), (self.folder / "issued.log").open("a", encoding="utf-8") as log:
            log.write(entry + "\n")
        return pem(cert)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def all_names(item: dict[str, Any], host_names: list[str]) -> list[str]:
    """All names of a certificate of the lab authority, each once, its own first."""
    names = [item["name"], *(item.get("names") or []), *host_names]
    return list(dict.fromkeys(str(name).lower() for name in names))


def why_renew(
    found: dict[str, Any], names: list[str], authority: x509.Certificate, renew_days: int
) -> str | None:
    """Why a host's certificate must be issued anew by the lab authority; None when it is well."""
    if not found["cert"] or not found["public_key"] or not found["fullchain"]:
        return "absent or incomplete"
    try:
        cert = x509.load_pem_x509_certificate(found["cert"].encode())
        key = serialization.load_pem_public_key(found["public_key"].encode())
    except ValueError:
        return "unreadable"
    if spki(key) != spki(cert.public_key()):
        return "key and certificate do not match"
    if not signed_by(cert, authority):
        return "signed by another authority"
    if dns_names(cert) != set(names):
        return "other names"
    if not found["fullchain"].startswith(found["cert"]):
        return "chain of another certificate"
    if days_left(cert) < renew_days:
        return f"{days_left(cert):.0f} days left"
    return None


def _given_key(path: Path) -> Any:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise AnsibleActionFail(
            f"pki: {path} is not an unencrypted private key in PEM form: {error}"
        ) from error


def _given_chain(path: Path) -> list[x509.Certificate]:
    try:
        chain = load_chain(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AnsibleActionFail(f"pki: {path} holds an unreadable certificate: {error}") from error
    if not chain:
        raise AnsibleActionFail(f"pki: {path} holds no certificate in PEM form")
    return chain


def _check_chain(path: Path, chain: list[x509.Certificate], roots: list[x509.Certificate]) -> None:
    for cert, issuer in pairwise(chain):
        if not signed_by(cert, issuer):
            raise AnsibleActionFail(
                f"pki: in {path}, {cert.subject.rfc4514_string()} is not signed by the next "
                f"certificate {issuer.subject.rfc4514_string()}: order them from the server to the "
                "authority"
            )
        if days_left(issuer) <= 0:
            raise AnsibleActionFail(
                f"pki: in {path}, the intermediate {issuer.subject.rfc4514_string()} expired on "
                f"{not_after(issuer):%Y-%m-%d}"
            )
    last = chain[-1]
    if not any(signed_by(last, root) and days_left(root) > 0 for root in roots):
        raise AnsibleActionFail(
            f"pki: {path} chains up to {last.issuer.rfc4514_string()}, which is not a trusted "
            "authority: add the missing intermediates to the file, or name the authority in "
            "pki_files_ca"
        )


def check_given(
    name: str, wanted: list[str], folder: Path, roots: list[x509.Certificate]
) -> dict[str, str]:
    """Key, certificate and chain given by the administrator, validated.

    AnsibleActionFail names the file, what is wrong and what to do.
    """
    key_file, cert_file = folder / f"{name}.key", folder / f"{name}.pem"
    for path in (key_file, cert_file):
        if not path.is_file():
            raise AnsibleActionFail(
                f"pki: {path} does not exist; the certificate {name} needs {key_file.name} and "
                f"{cert_file.name} in pki_files_dir"
            )
    key, chain = _given_key(key_file), _given_chain(cert_file)
    leaf = chain[0]
    if spki(key.public_key()) != spki(leaf.public_key()):
        raise AnsibleActionFail(
            f"pki: {key_file} is not the key of the first certificate in {cert_file}: the server's "
            "own certificate must come first, intermediates after it"
        )
    if days_left(leaf) <= 0:
        raise AnsibleActionFail(
            f"pki: {cert_file} expired on {not_after(leaf):%Y-%m-%d}: put a renewed one there"
        )
    names = dns_names(leaf)
    missing = [entry for entry in wanted if not covers(names, entry)]
    if missing:
        raise AnsibleActionFail(
            f"pki: {cert_file} does not cover {', '.join(missing)}; it is for "
            f"{', '.join(sorted(names))}. Have one issued for all names, or change pki_certificates"
        )
    _check_chain(cert_file, chain, roots)
    return {
        "name": name,
        "key": key_file.read_text(encoding="utf-8"),
        "cert": pem(leaf),
        "chain": "".join(pem(cert) for cert in chain[1:]),
    }


def same(found: dict[str, Any], wanted: dict[str, str]) -> bool:
    """Whether a host has exactly the given certificate, chain and key."""
    if found["cert"] != wanted["cert"] or found["fullchain"] != wanted["cert"] + wanted["chain"]:
        return False
    if not found["public_key"]:
        return False
    host_key = serialization.load_pem_public_key(found["public_key"].encode())
    given = x509.load_pem_x509_certificate(wanted["cert"].encode())
    return spki(host_key) == spki(given.public_key())


def authority_text(path: Path, variable: str) -> str:
    """Text of a PEM file of the controller that holds at least one certificate."""
    try:
        text = path.read_text(encoding="utf-8")
        found = bool(load_chain(text))
    except (OSError, ValueError) as error:
        raise AnsibleActionFail(
            f"pki: {variable} names {path}, which cannot be read: {error}"
        ) from error
    if not found:
        raise AnsibleActionFail(
            f"pki: {variable} names {path}, which holds no certificate in PEM form"
        )
    return text


class HostFailedError(Exception):
    """A step on the host failed; the answer is Ansible's result."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer.get("msg", ""))
        self.answer = answer


class ActionModule(ActionBase):
    """See the module's docstring."""

    TRANSFERS_FILES = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Bring the certificates of one host up to date."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._host_vars = task_vars
        trusted = {}
        for number, name in enumerate(self._task.args["extra_trusted_cas"]):
            path = Path(name).expanduser()
            trusted[f"ent-extra-{number}.crt"] = authority_text(path, "pki_extra_trusted_cas")
        try:
            if self._task.args["provider"] == "files":
                changed, reasons = self._from_files(trusted)
            else:
                changed, reasons = self._from_authority(trusted)
        except HostFailedError as failure:
            return failure.answer
        result.update(changed=changed, renewed=sorted(reasons), reasons=reasons)
        return result

    def _from_files(self, trusted: dict[str, str]) -> tuple[bool, dict[str, str]]:
        """Install what was given. Returns whether anything changed, and name to reason."""
        args = self._task.args
        roots = Path(args["files_ca"]).expanduser() if args["files_ca"] else SYSTEM_TRUST
        root_text = authority_text(roots, "pki_files_ca")
        if args["files_ca"]:
            trusted["ent-files.crt"] = root_text
        root_certs = load_chain(root_text)
        folder = Path(args["files_dir"]).expanduser()
        wanted = {
            item["name"]: check_given(
                item["name"], [item["name"], *(item.get("names") or [])], folder, root_certs
            )
            for item in args["certificates"]
        }
        state = self._on_host(step="inspect", names=list(wanted), trusted=trusted)
        reasons = {
            name: "other files given"
            for name, files in wanted.items()
            if not same(state["found"][name], files)
        }
        self._install([wanted[name] for name in reasons])
        return bool(state["changed"] or reasons), reasons

    def _from_authority(self, trusted: dict[str, str]) -> tuple[bool, dict[str, str]]:
        """Have the lab authority sign. Returns whether anything changed, and name to reason."""
        args = self._task.args
        authority = LabAuthority(
            Path(args["ca_dir"]).expanduser(),
            args["ca_name"],
            list(args["ca_domains"]),
            int(args["ca_valid_days"]),
        )
        authority_cert, _key = authority.load()
        trusted["ent-lab.crt"] = pem(authority_cert)
        wanted = {
            item["name"]: all_names(item, list(args["host_names"])) for item in args["certificates"]
        }
        for names in wanted.values():
            authority.check(names)
        state = self._on_host(step="inspect", names=list(wanted), trusted=trusted)
        reasons = {
            name: reason
            for name, names in wanted.items()
            if (
                reason := why_renew(
                    state["found"][name], names, authority_cert, int(args["renew_days"])
                )
            )
        }
        if reasons and not self._task.check_mode:
            requests = self._on_host(step="request", names=list(reasons))["requests"]
            signed = [
                {
                    "name": name,
                    "key": None,
                    "cert": authority.sign(requests[name], wanted[name], int(args["valid_days"])),
                    "chain": "",
                }
                for name in reasons
            ]
            self._install(signed)
        return bool(state["changed"] or reasons), reasons

    def _install(self, certificates: list[dict[str, Any]]) -> None:
        if certificates and not self._task.check_mode:
            self._on_host(
                step="install",
                certificates=certificates,
                reload_units=list(self._task.args["reload_units"]),
            )

    def _on_host(self, **arguments: Any) -> dict[str, Any]:
        """One step of the module ent_pki_host. HostFailedError when it fails."""
        answer: dict[str, Any] = self._execute_module(
            module_name="ent_pki_host", module_args=arguments, task_vars=self._host_vars
        )
        if answer.get("failed") or answer.get("unreachable"):
            raise HostFailedError(answer)
        return answer
