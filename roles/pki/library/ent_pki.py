#!/usr/bin/python
"""Documentation of the action ent_pki, which is in action_plugins/."""

from __future__ import annotations

DOCUMENTATION = """
module: ent_pki
short_description: Certificates of one host, signed by the lab authority or given as files
description:
  - An action of the controller. Reports in C(renewed) which certificates changed and in
    C(reasons) why.
options:
  certificates:
    description: See the role's pki_certificates.
    type: list
    elements: dict
    required: true
  host_names: {description: "See pki_host_names.", type: list, elements: str, required: true}
  provider: {description: "See pki_provider.", type: str, required: true, choices: [lab_ca, files]}
  ca_dir: {description: "See pki_ca_dir.", type: str, required: true}
  ca_name: {description: "See pki_ca_name.", type: str, required: true}
  ca_domains: {description: "See pki_ca_domains.", type: list, elements: str, required: true}
  ca_valid_days: {description: "See pki_ca_valid_days.", type: int, required: true}
  valid_days: {description: "See pki_valid_days.", type: int, required: true}
  renew_days: {description: "See pki_renew_days.", type: int, required: true}
  files_dir: {description: "See pki_files_dir.", type: str, required: true}
  files_ca: {description: "See pki_files_ca.", type: str, required: true}
  reload_units: {description: See pki_reload_units., type: list, elements: str, required: true}
  extra_trusted_cas:
    description: See pki_extra_trusted_cas.
    type: list
    elements: str
    required: true
"""
