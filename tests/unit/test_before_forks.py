"""The callback that prepares the process that workers fork from."""

from __future__ import annotations

import gc

from ansible.plugins.loader import filter_loader, test_loader

from loading import load

before_forks = load("plugins/callback/before_forks.py")


def test_filters_are_loaded_and_memory_is_set_aside() -> None:
    try:
        before_forks.CallbackModule().v2_playbook_on_play_start(None)
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    for loader in (filter_loader, test_loader):
        assert loader._cached_non_collection_wrappers
