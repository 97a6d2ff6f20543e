"""What each worker process would do for itself, done once in the process that they fork from."""

from __future__ import annotations

import gc
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, test_loader

DOCUMENTATION = """
name: before_forks
type: aggregate
short_description: lets workers begin with loaded filters and few pages to copy
description:
  - Ansible forks a process for each task and host. Each of them loads every filter and test when
    its first template is rendered, unless they are loaded already; and memory that the garbage
    collector of the child touches has to be copied first. To load them once, and to take what is
    there out of the collector's sight, makes a run that changes nothing cost a fifth less.
requirements:
  - enabled in ansible.cfg
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Prepares at the start of each play; prints nothing."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "before_forks"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_play_start(self, _play: Any) -> None:
        """A play begins: its inventory, roles and tasks are loaded."""
        # one of either kind brings all that are not of a collection
        filter_loader.get("bool")
        test_loader.get("match")
        gc.collect()
        gc.freeze()
