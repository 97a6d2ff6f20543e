#!/usr/bin/python
"""Host side of the action ent_pki: keys, certificate files and trust store."""

from __future__ import annotations

import grp
import os
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: ent_pki_host
short_description: Host side of the action ent_pki
description:
  - Not called directly. Reports what lies in the certificate folders, makes keys and signing
    requests, and puts certificates and trusted authorities in place. Needs the C(openssl) command
    only.
options:
  step:
    description: What to do.
    type: str
    required: true
    choices: [inspect, request, install]
  base_dir:
    description: Folder with one folder for each certificate.
    type: path
    default: /etc/ssl/ent
  group:
    description: Group that may read the keys.
    type: str
    default: ssl-cert
  names:
    description: Certificates to inspect or to make requests for.
    type: list
    elements: str
    default: []
  certificates:
    description:
      - Certificates to install, each with C(name), C(cert), C(chain) and C(key). No key means the
        pending one.
    type: list
    elements: dict
    default: []
  reload_units:
    description: Units to reload or restart after an install, if they run.
    type: list
    elements: str
    default: []
  trusted:
    description:
      - Authorities to trust, file name to PEM text. Others of this module's prefix are removed.
    type: dict
    default: {}
"""

TRUST_DIR = Path("/usr/local/share/ca-certificates")
TRUST_LINKS = Path("/etc/ssl/certs")
TRUST_PREFIX = "ent-"


def read(path):
    """Text of a file, or None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write(path, text, mode, gid):
    """Replace a file atomically; it never exists with wider rights than mode."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fchown(stream.fileno(), 0, gid)
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    temporary.rename(path)


def command(*arguments):
    """A finished command with its output."""
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def openssl(module, *arguments):
    """Output of an openssl command; fails the module with its message."""
    run = command("openssl", *arguments)
    if run.returncode != 0:
        module.fail_json(msg=f"openssl {arguments[0]}: {run.stderr.strip()}")
    return run.stdout


def fix_rights(path, mode, gid, check_mode):
    """Whether owner, group or mode of a path were wrong; sets them right."""
    state = path.stat()
    if (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (0, gid, mode):
        return False
    if not check_mode:
        os.chown(path, 0, gid)
        path.chmod(mode)
    return True


def trust(module, wanted):
    """Whether the trust store had to change to hold exactly the wanted authorities of ours."""
    removed = {path.name for path in TRUST_DIR.glob(TRUST_PREFIX + "*.crt")} - set(wanted)
    # The link shows that a former run got as far as updating the store.
    stale = [
        name
        for name, pem in wanted.items()
        if read(TRUST_DIR / name) != pem or not (TRUST_LINKS / (name[:-4] + ".pem")).exists()
    ]
    if (stale or removed) and not module.check_mode:
        TRUST_DIR.mkdir(parents=True, exist_ok=True)
        for name in stale:
            write(TRUST_DIR / name, wanted[name], 0o644, 0)
        for name in removed:
            (TRUST_DIR / name).unlink()
        # --fresh: a replaced certificate of the same name must not keep old links.
        run = command("update-ca-certificates", "--fresh")
        if run.returncode != 0:
            module.fail_json(msg=f"update-ca-certificates: {run.stderr.strip()}")
    return bool(stale or removed)


def inspect(module, base, gid):
    """Report each folder, mend rights, trust the wanted authorities."""
    check = module.check_mode
    changed = trust(module, module.params["trusted"])
    found = {}
    for name in module.params["names"]:
        folder = base / name
        key, cert, chain = folder / "key.pem", folder / "cert.pem", folder / "fullchain.pem"
        entry = {"cert": read(cert), "fullchain": read(chain), "public_key": None}
        if key.exists():
            entry["public_key"] = command("openssl", "pkey", "-in", str(key), "-pubout").stdout
        for path, mode in ((folder, 0o750), (key, 0o640), (cert, 0o644), (chain, 0o644)):
            if path.exists():
                changed |= fix_rights(path, mode, gid, check)
        found[name] = entry
    return {"changed": changed, "found": found}


def make_folder(base, name, gid):
    """The folder of a certificate, existing and with the right mode."""
    if not base.is_dir():
        base.mkdir(parents=True)
        base.chmod(0o755)
    folder = base / name
    folder.mkdir(mode=0o750, exist_ok=True)
    fix_rights(folder, 0o750, gid, False)
    return folder


def request(module, base, gid):
    """A new key and a signing request for each name.

    The key stays aside until its certificate comes, so that a run that is
    killed leaves the old pair at work.
    """
    requests = {}
    for name in module.params["names"]:
        pending = make_folder(base, name, gid) / "key.pem.new"
        key = openssl(module, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        write(pending, key, 0o600, 0)
        subject = f"/CN={name[:64]}"
        requests[name] = openssl(module, "req", "-new", "-key", str(pending), "-subj", subject)
    return {"changed": True, "requests": requests}


def install(module, base, gid):
    """Put certificates and keys in place, the key first: a half-done pair is seen and redone."""
    for item in module.params["certificates"]:
        folder = make_folder(base, item["name"], gid)
        pending = folder / "key.pem.new"
        write(folder / "key.pem", item["key"] or read(pending), 0o640, gid)
        write(folder / "cert.pem", item["cert"], 0o644, gid)
        write(folder / "fullchain.pem", item["cert"] + item["chain"], 0o644, gid)
        pending.unlink(missing_ok=True)
    for unit in module.params["reload_units"]:
        if command("systemctl", "is-active", "--quiet", unit).returncode == 0:
            run = command("systemctl", "reload-or-restart", unit)
            if run.returncode != 0:
                module.fail_json(msg=f"new certificate, but {unit} fails: {run.stderr.strip()}")
    return {"changed": True}


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "required": True, "choices": ["inspect", "request", "install"]},
            "base_dir": {"type": "path", "default": "/etc/ssl/ent"},
            "group": {"type": "str", "default": "ssl-cert"},
            "names": {"type": "list", "elements": "str", "default": []},
            "certificates": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "cert": {"type": "str", "required": True},
                    "chain": {"type": "str", "required": True},
                    "key": {"type": "str", "no_log": True},
                },
            },
            "reload_units": {"type": "list", "elements": "str", "default": []},
            "trusted": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        gid = grp.getgrnam(module.params["group"]).gr_gid
    except KeyError:
        if not module.check_mode:
            module.fail_json(
                msg=f"no group {module.params['group']}: install the package ssl-cert first"
            )
        gid = 0
    steps = {"inspect": inspect, "request": request, "install": install}
    module.exit_json(**steps[module.params["step"]](module, Path(module.params["base_dir"]), gid))


if __name__ == "__main__":
    main()
