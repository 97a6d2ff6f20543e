"""What lines of Postfix's log count as."""

from __future__ import annotations

from collections import Counter
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from lab import REPOSITORY

_PATH = REPOSITORY / "roles/postfix/files/usr/local/libexec/ent-postfix-metrics"
_loader = SourceFileLoader("ent_postfix_metrics", str(_PATH))
_spec = spec_from_loader(_loader.name, _loader)
assert _spec
metrics = module_from_spec(_spec)
_loader.exec_module(metrics)


@pytest.mark.parametrize(
    ("program", "text", "sample"),
    [
        (
            "postfix/lmtp",
            "1A2B: to=<a@b.example>, relay=x[private/dovecot-lmtp], dsn=2.0.0, status=sent (250)",
            'postfix_deliveries_total{agent="lmtp",status="sent"}',
        ),
        (
            "postfix/smtp",
            "1A2B: to=<a@b.example>, relay=none, dsn=4.4.1, status=deferred (connect to x)",
            'postfix_deliveries_total{agent="smtp",status="deferred"}',
        ),
        (
            "postfix/smtpd",
            "NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 5.1.1 <a@b.example>: unknown",
            'postfix_refusals_total{class="5xx"}',
        ),
        (
            "postfix/cleanup",
            "1A2B: milter-reject: END-OF-MESSAGE from x[192.0.2.1]: 4.7.1 later; from=<a>",
            'postfix_refusals_total{class="4xx"}',
        ),
        (
            "postfix/submission/smtpd",
            "disconnect from x[192.0.2.1] ehlo=2 starttls=1 auth=1/2 mail=1 quit=1 commands=6/7",
            'postfix_sign_ins_total{result="success"}',
        ),
        (
            "postfix/submission/smtpd",
            "warning: x[192.0.2.1]: SASL PLAIN authentication failed: , sasl_username=jmartin",
            'postfix_sign_ins_total{result="failure"}',
        ),
        (
            "postfix/submission/smtpd",
            "NOQUEUE: reject: RCPT from x[192.0.2.1]: 553 5.7.1 <a@b.example>: not owned; "
            "sasl_method=PLAIN sasl_username=jmartin",
            'postfix_refusals_total{class="5xx"}',
        ),
        ("postfix/qmgr", "1A2B: from=<a@b.example>, size=700, nrcpt=1 (queue active)", None),
    ],
)
def test_count(program: str, text: str, sample: str | None) -> None:
    counters: Counter[str] = Counter()
    metrics.count(program, text, counters)
    assert counters == (Counter([sample]) if sample else Counter())


def test_render_names_kind_and_meaning_once() -> None:
    text = metrics.render({'postfix_queue_messages{queue="active"}': 3})
    assert text.count("# TYPE postfix_queue_messages gauge") == 1
    assert 'postfix_queue_messages{queue="active"} 3\n' in text
