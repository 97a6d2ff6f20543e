"""Settings files: JSON written by the Ansible roles, read into typed objects.

Django-free, so that a role can check a file before it is put in place.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Config = TypeVar("Config")


@dataclass(frozen=True)
class Site:
    """What pages say about the university."""

    university: str
    support_phone: str
    support_mail: str


@dataclass(frozen=True)
class Ldap:
    """How to reach the directory, and as whom (`ent.directory.DirectorySettings`)."""

    uri: str
    suffix: str
    bind_dn: str
    password: str
    ca_file: str
    connect_timeout: float | int
    timeout: float | int


@dataclass(frozen=True)
class Database:
    """`host` empty: a local SQLite file of that `name`, for development and tests."""

    name: str
    host: str = ""
    port: int = 5432
    user: str = ""
    password: str = ""
    ca_file: str = ""


@dataclass(frozen=True, kw_only=True)
class WebConfig:
    """What every web application behind CAS needs to know.

    url: its own address as browsers see it, https://ent.univ-provence.fr
    cas_url: the CAS server, with the slash its protocol paths follow
    session_hours: how long a sign-in lasts at most
    """

    url: str
    secret_key: str
    cas_url: str
    ca_file: str
    session_hours: int
    site: Site
    database: Database

    def __post_init__(self) -> None:
        if self.url.endswith("/") or not self.url.startswith(
            ("https://", "http://localhost:", "http://127.0.0.1:")
        ):
            raise ValueError(
                f"url is {self.url!r}, expected https://HOST without a slash at the end"
            )
        if not self.cas_url.endswith("/"):
            raise ValueError(f"cas_url is {self.cas_url!r}, expected a slash at the end")
        if len(self.secret_key) < 32:
            raise ValueError(
                f"secret_key has {len(self.secret_key)} characters, expected at least 32"
            )
        if self.session_hours < 1:
            raise ValueError(f"session_hours is {self.session_hours}, expected 1 or more")


class ConfigError(Exception):
    """A settings file is not usable; the message names the file, the key and what was expected."""


def load(path: Path, into: type[Config]) -> Config:
    """Read the JSON object in `path` into the dataclass `into`, nested ones included.

    Unknown keys, missing keys and wrong types are errors: a misspelt key must
    not silently leave a default in force.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        value = _convert(data, into, "")
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    return typing.cast(Config, value)


def _convert(value: Any, wanted: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return _dataclass(value, wanted, where)
    if origin is tuple and isinstance(value, list):
        return tuple(
            _convert(one, arguments[0], f"{where}[{number}]") for number, one in enumerate(value)
        )
    if origin is dict and isinstance(value, dict):
        return {key: _convert(one, arguments[1], f"{where}.{key}") for key, one in value.items()}
    if origin in (typing.Union, types.UnionType):
        for one in arguments:
            try:
                return _convert(value, one, where)
            except ValueError:
                continue
    if (
        isinstance(wanted, type)
        and isinstance(value, wanted)
        and not (wanted is int and isinstance(value, bool))
    ):
        return value
    name = getattr(wanted, "__name__", str(wanted)) if not arguments else str(wanted)
    raise ValueError(f"{where or 'the file'} is a {type(value).__name__}, expected {name}")


def _dataclass(value: Any, wanted: type, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'the file'} is a {type(value).__name__}, expected an object")
    hints = typing.get_type_hints(wanted)
    fields = {one.name: one for one in dataclasses.fields(wanted)}
    prefix = f"{where}." if where else ""
    for key in value.keys() - fields.keys():
        raise ValueError(f"{prefix}{key} is not a setting; known here: {', '.join(sorted(fields))}")
    for name, one in fields.items():
        required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise ValueError(f"{prefix}{name} is missing")
    given = {key: _convert(one, hints[key], f"{prefix}{key}") for key, one in value.items()}
    try:
        return wanted(**given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}" if where else str(error)) from error
