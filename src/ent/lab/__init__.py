"""The lab: the whole stack as containers on one machine.

Runs before anything is installed, so it uses the standard library only, and
Debian 12's Python 3.11 as the oldest. What is in the containers is Ansible's
business (playbooks/); what must be on the machine first is decided here.
"""
