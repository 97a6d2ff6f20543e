"""annuaire.univ-provence.fr: find somebody, activate an account, and the help desk.

One release, two processes that share neither system user, LDAP identity,
database role, schema nor cookie (docs/annuaire.md):

public    search, activation, a person's own page   ent.annuaire.settings
helpdesk  everything under /assistance/             ent.annuaire.settings_helpdesk

A third settings module, settings_owner, exists for migrations only.
"""
