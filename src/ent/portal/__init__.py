"""The portal: the first page of the digital workspace (ent.univ-provence.fr)."""
