"""Build an application on the controller: `python -m ent.build portal --output DIR`.

The result is one self-contained archive that hosts unpack and run with Debian's
Python; they need no package index. It is a function of its inputs: the same
sources and lock file give the same bytes, and a second build of the same
inputs is only a look at a stamp.

    bin/ent-portal      starts it: serve, check-settings, any Django command
    lib/                locked pure Python packages, and the package `ent`
    static/             style sheet and pictures, hashed names, compressed (web applications)

Compiled extensions are not in it: python3-ldap, -lxml, -psycopg and -requests
come from Debian on the host, which keeps them secure.
"""

import argparse
import contextlib
import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What a worker that follows the directory needs besides its own package.
_WORKER = ("service.py", "web/__init__.py", "web/config.py", "web/directory.py", "directory")
# What each consists of: packages and modules of `ent`, the last one with __main__.
APPLICATIONS = {
    "annuaire": ("naming.py", "directory", "web", "annuaire"),
    "harpege": ("naming.py", "directory", "web/__init__.py", "web/config.py", "harpege"),
    "listmove": (*_WORKER, "listmove"),
    "mailmove": (*_WORKER, "mailmove"),
    "portal": ("directory", "web", "portal"),
}
TARGET_PYTHON = "3.13"
# Locked for the test environment, taken from Debian on the host.
FROM_DEBIAN = frozenset(
    {
        "certifi",
        "charset-normalizer",
        "idna",
        "lxml",
        "greenlet",
        "psycopg",
        "python-ldap",
        "requests",
        "sqlalchemy",
        "typing-extensions",
        "urllib3",
    }
)
LANGUAGES = ("en", "fr")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LAUNCHER = """#!/usr/bin/python3 -I
import sys
from pathlib import Path

# The release this file is in, not the link it was started by: a running
# process keeps its own code when the link moves on.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from ent.{application}.__main__ import main

sys.exit(main(sys.argv[1:]))
"""


class BuildError(Exception):
    """The artefact cannot be built; the message says what to do."""


def build(application: str, output: Path) -> tuple[Path, bool]:
    """Return the artefact of `application` in `output`, and whether it had to be built."""
    output.mkdir(parents=True, exist_ok=True)
    with _alone(output / f".{application}.lock"):
        stamp = output / f"{application}.json"
        inputs = _inputs(application)
        with contextlib.suppress(OSError, ValueError, KeyError):
            known = json.loads(stamp.read_text())
            artefact = output / str(known["artefact"])
            if known["inputs"] == inputs and artefact.exists():
                return artefact, False
        artefact = _build(application, output)
        for old in output.glob(f"{application}-*.tar.gz"):
            if old != artefact:
                old.unlink()
        _write(stamp, json.dumps({"inputs": inputs, "artefact": artefact.name}).encode())
        return artefact, True


def _build(application: str, output: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix=f"ent-{application}-") as name:
        tree = Path(name)
        library = tree / "lib"
        _install_packages(ROOT / "requirements" / f"{application}.txt", library)
        for source in _sources(application):
            copy = library / "ent" / source.relative_to(ROOT / "src/ent")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        _compile_catalogs(library / "ent")
        if "web" in APPLICATIONS[application]:
            _collect_static(library, tree / "static")
        launcher = tree / "bin" / f"ent-{application}"
        launcher.parent.mkdir()
        launcher.write_text(LAUNCHER.format(application=application))
        launcher.chmod(0o755)
        archive = _archive(tree)
    digest = hashlib.sha256(archive).hexdigest()[:16]
    artefact = output / f"{application}-{digest}.tar.gz"
    # compressed after hashing: the name must not depend on the version of zlib
    _write(artefact, gzip.compress(archive, compresslevel=6, mtime=0))
    return artefact


def _sources(application: str) -> list[Path]:
    """The files of `ent` that an application consists of."""
    files = [ROOT / "src/ent/__init__.py"]
    for part in APPLICATIONS[application]:
        path = ROOT / "src/ent" / part
        files += [path] if path.suffix else path.rglob("*")
    return [path for path in files if path.is_file() and "__pycache__" not in path.parts]


def _inputs(application: str) -> str:
    """Digest of all that the artefact depends on."""
    lock = ROOT / "requirements" / f"{application}.txt"
    files = [lock, Path(__file__), *_sources(application)]
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _install_packages(lock: Path, target: Path) -> None:
    uv = shutil.which(
        "uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if uv is None:
        raise BuildError("uv is not installed: run `make ready`, or put uv in the PATH")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as kept:
        kept.write("\n".join(_without_debian(lock.read_text())))
        kept.flush()
        done = subprocess.run(
            [
                *(uv, "pip", "install", "--quiet", "--no-config", "--no-deps", "--require-hashes"),
                *("--only-binary", ":all:", "--link-mode", "copy", "--no-compile-bytecode"),
                *("--python", sys.executable, "--python-version", TARGET_PYTHON),
                *("--python-platform", "x86_64-unknown-linux-gnu"),
                *("--target", str(target), "--requirement", kept.name),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BuildError(f"installing {lock.relative_to(ROOT)} failed:\n{done.stderr.strip()}")
    shutil.rmtree(target / "bin", ignore_errors=True)
    # records of the installation, not of the packages: they differ between machines
    for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"):
        for path in target.glob(f"*.dist-info/{name}"):
            path.unlink()
    (target / ".lock").unlink(missing_ok=True)
    compiled = [str(path.relative_to(target)) for path in target.rglob("*.so")]
    if compiled:
        raise BuildError(
            f"compiled code belongs to Debian's packages (FROM_DEBIAN): {', '.join(compiled)}"
        )
    for path in target.rglob("locale/*"):
        if path.is_dir() and path.name not in LANGUAGES:
            shutil.rmtree(path)
    for source in target.rglob("*.po"):
        source.unlink()


def _without_debian(lock: str) -> Iterator[str]:
    """Yield the requirements of a lock file, each with its hashes, but those Debian provides."""
    for requirement in re.split(r"\n(?=[A-Za-z0-9])", lock):
        name = re.match(r"([A-Za-z0-9._-]+)==", requirement)
        if name and name[1].lower() not in FROM_DEBIAN:
            yield requirement


def _compile_catalogs(package: Path) -> None:
    # here, so that looking up a stamp takes no time
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    for source in package.rglob("*.po"):
        with source.open("rb") as text, source.with_suffix(".mo").open("wb") as compiled:
            catalog = read_po(text, abort_invalid=True)
            # babel fills in the present minute; the bytes must depend on the texts only
            catalog.creation_date = catalog.revision_date = _EPOCH
            write_mo(compiled, catalog)
        source.unlink()


def _collect_static(library: Path, target: Path) -> None:
    """Run collectstatic with the artefact's own Django, which runs on this Python as well."""
    apps = sorted(
        ".".join(folder.parent.relative_to(library).parts)
        for folder in (library / "ent").rglob("static")
    )
    program = f"""
import django
from django.conf import settings
from django.core.management import call_command
settings.configure(
    INSTALLED_APPS=["django.contrib.staticfiles", *{apps!r}],
    STATIC_ROOT={str(target)!r},
    STATIC_URL="/static/",
    STORAGES={{
        "staticfiles": {{"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}},
    }},
)
django.setup()
call_command("collectstatic", interactive=False, verbosity=0)
"""
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-B",
            "-c",
            f"import sys; sys.path.insert(0, {str(library)!r})\n{program}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"collecting the static files failed:\n{done.stderr.strip()}")


def _archive(tree: Path) -> bytes:
    """A tar of `tree` that depends on names, contents and the executable bit only."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(tree.rglob("*")):
            entry = archive.gettarinfo(path, str(path.relative_to(tree)))
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if entry.isdir() or path.parent.name == "bin" else 0o644
            if entry.isfile():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main(arguments: list[str] | None = None) -> int:
    """Build, and print {"artefact": path, "release": digest, "built": bool}."""
    parser = argparse.ArgumentParser(
        prog="python -m ent.build", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("application", choices=sorted(APPLICATIONS))
    parser.add_argument("--output", type=Path, required=True, help="folder of artefacts")
    options = parser.parse_args(arguments)
    try:
        artefact, built = build(options.application, options.output.resolve())
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    release = artefact.name.removeprefix(f"{options.application}-").removesuffix(".tar.gz")
    print(json.dumps({"artefact": str(artefact), "release": release, "built": built}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
