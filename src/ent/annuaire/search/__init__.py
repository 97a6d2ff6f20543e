"""The public search: people and structures."""
