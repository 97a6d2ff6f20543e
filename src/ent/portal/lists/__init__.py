"""« Mes listes »: a person's mailing lists, as Sympa tells them (docs/portal.md)."""
