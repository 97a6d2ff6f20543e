#!/usr/bin/python
"""Roles and databases of a PostgreSQL server, in one idempotent step."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: ent_postgresql
short_description: Roles and databases of the PostgreSQL server on this host
description:
  - Creates missing roles and databases, corrects owners, rights and passwords, over the local
    socket as the user C(postgres). One module run instead of several for each role.
  - A password is compared with the stored SCRAM verifier, so it is set only when it differs. What
    is sent to the server is a verifier, so that the password itself reaches neither its log nor a
    command line.
options:
  roles:
    description: Roles that may log in, each with C(name) and C(password).
    type: list
    elements: dict
    required: true
  databases:
    description:
      - Databases, each with C(name) and C(owner), and C(users), other roles which may connect. What
        these see there is for the owner to grant.
    type: list
    elements: dict
    required: true
  icu_locale:
    description: Sorting of new databases.
    type: str
    default: fr-FR
  port:
    description: Port of the server, which names its socket.
    type: int
    default: 5432
"""

ITERATIONS = 4096

STATE = """
SELECT json_build_object(
  'roles', (SELECT coalesce(json_object_agg(rolname, json_build_object(
      'verifier', rolpassword, 'login', rolcanlogin,
      'power', rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)), '{}')
    FROM pg_authid),
  'databases', (SELECT coalesce(json_object_agg(datname, json_build_object(
      'owner', pg_get_userbyid(datdba),
      'public', EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))
                        WHERE grantee = 0),
      'users', (SELECT coalesce(json_agg(pg_get_userbyid(grantee)), '[]')
                FROM aclexplode(datacl)
                WHERE privilege_type = 'CONNECT' AND grantee NOT IN (0, datdba)))), '{}')
    FROM pg_database WHERE datname <> 'template0'));
"""


def quote_name(name):
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text):
    """A string literal; standard_conforming_strings is on by default."""
    return "'" + text.replace("'", "''") + "'"


def scram_keys(password, salt, iterations):
    """Stored and server key of RFC 5802, for a password in ASCII or prepared by SASLprep."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    server_key = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    return hashlib.sha256(client_key).digest(), server_key


def make_verifier(password):
    """A fresh verifier in PostgreSQL's form."""
    salt = os.urandom(16)
    keys = scram_keys(password, salt, ITERATIONS)
    stored, server, salt = (base64.b64encode(part).decode() for part in (*keys, salt))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"


def verifier_matches(verifier, password):
    """Whether a stored verifier is that of a password; false for other kinds of verifiers."""
    try:
        scheme, parameters, keys = (verifier or "").split("$")
        iterations, salt = parameters.split(":")
        stored, server = (base64.b64decode(key) for key in keys.split(":"))
    except ValueError:
        return False
    if scheme != "SCRAM-SHA-256":
        return False
    expected = scram_keys(password, base64.b64decode(salt), int(iterations))
    return hmac.compare_digest(expected[0], stored) and hmac.compare_digest(expected[1], server)


def role_steps(role, present):
    """What to do for one role, given its present state or None."""
    name, quoted = role["name"], quote_name(role["name"])
    steps = []
    if present is None or not verifier_matches(present["verifier"], role["password"]):
        verifier = quote_text(make_verifier(role["password"]))
        if present is None:
            steps.append((f"create role {name}", f"CREATE ROLE {quoted} LOGIN PASSWORD {verifier}"))
        else:
            steps.append((f"password of role {name}", f"ALTER ROLE {quoted} PASSWORD {verifier}"))
    if present and (not present["login"] or present["power"]):
        rights = "LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS"
        steps.append((f"rights of role {name}", f"ALTER ROLE {quoted} {rights}"))
    return steps


def database_steps(database, present, icu_locale):
    """What to do for one database, given its present state or None."""
    name, quoted = database["name"], quote_name(database["name"])
    owner = quote_name(database["owner"])
    if present is None:
        create = (
            f"CREATE DATABASE {quoted} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'"
            f" LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE {quote_text(icu_locale)}"
        )
        return [(f"create database {name}", create)]
    if present["owner"] != database["owner"]:
        return [(f"owner of database {name}", f"ALTER DATABASE {quoted} OWNER TO {owner}")]
    return []


def user_steps(database, present):
    """Who else may connect to one database."""
    name, quoted = database["name"], quote_name(database["name"])
    wanted, found = set(database.get("users") or []), set((present or {}).get("users", []))
    steps = [
        (
            f"let {user} into database {name}",
            f"GRANT CONNECT ON DATABASE {quoted} TO {quote_name(user)}",
        )
        for user in sorted(wanted - found)
    ]
    steps += [
        (
            f"keep {user} out of database {name}",
            f"REVOKE ALL ON DATABASE {quoted} FROM {quote_name(user)}",
        )
        for user in sorted(found - wanted)
    ]
    return steps


def plan(state, roles, databases, icu_locale):
    """Statements, each with what it does in words, that lead from a state to the wanted one."""
    steps = []
    for role in roles:
        steps += role_steps(role, state["roles"].get(role["name"]))
    for database in databases:
        steps += database_steps(database, state["databases"].get(database["name"]), icu_locale)
    for name in [database["name"] for database in databases] + ["postgres", "template1"]:
        if state["databases"].get(name, {"public": True})["public"]:
            revoke = f"REVOKE ALL ON DATABASE {quote_name(name)} FROM PUBLIC"
            steps.append((f"close database {name}", revoke))
    for database in databases:
        steps += user_steps(database, state["databases"].get(database["name"]))
    return steps


def psql(module, sql):
    """Output of SQL given on standard input; fails the module with the server's message."""
    command = ["runuser", "-u", "postgres", "--", "psql", "--no-psqlrc", "--quiet"]
    command += ["--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]
    command += [f"--port={module.params['port']}", "--dbname=postgres"]
    try:
        run = subprocess.run(
            command, input=sql, capture_output=True, text=True, check=False, cwd="/"
        )
    except FileNotFoundError as error:
        module.fail_json(msg=f"{error.filename} is not installed")
    if run.returncode != 0:
        module.fail_json(msg=f"PostgreSQL: {run.stderr.strip()}")
    return run.stdout


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "roles": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "password": {"type": "str", "required": True, "no_log": True},
                },
            },
            "databases": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "owner": {"type": "str", "required": True},
                    "users": {"type": "list", "elements": "str"},
                },
            },
            "icu_locale": {"type": "str", "default": "fr-FR"},
            "port": {"type": "int", "default": 5432},
        },
        supports_check_mode=True,
    )
    # check mode on a bare host: the server was not installed before, so everything is to be made
    bare = module.check_mode and not module.get_bin_path("psql")
    state = {"roles": {}, "databases": {}} if bare else json.loads(psql(module, STATE))
    steps = plan(
        state, module.params["roles"], module.params["databases"], module.params["icu_locale"]
    )
    # One statement at a time: CREATE DATABASE cannot be in a transaction. A
    # run that is killed in between leaves a state that the next one completes.
    if steps and not module.check_mode:
        # A statement that fails must not end up in the server's log: it may hold a verifier.
        quiet = "SET log_min_error_statement = panic;\n"
        psql(module, quiet + "\n".join(sql + ";" for _what, sql in steps))
    module.exit_json(changed=bool(steps), steps=[what for what, _sql in steps])


if __name__ == "__main__":
    main()
