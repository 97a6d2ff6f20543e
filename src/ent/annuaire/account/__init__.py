"""« Mon compte »: what the directory says about the person who signed in, and what they may change.

Modules:

person     one's own entry, as identity annuaire-account reads it
record     what the page says of it, in words
choices    red list, telephone, personal address: one LDAP modify each
password   change of password, bound as the person
moving     how far the move of the old messages is, asked of the legacy mail server
consent    acceptance of a new version of the charter
versions   what changed between two versions of the charter
visit      who is here: from the session and nothing else
journal    the line that each change leaves
"""
