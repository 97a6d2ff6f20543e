"""The services themselves: settings that are tried first, metrics, journals, where mail may go."""

from __future__ import annotations

import json
import re
import smtplib
import socket

import pytest

from lab import LabUnderTest, wait_for
from mail import OUTSIDE, Mail, compose

pytestmark = pytest.mark.service("mail1", "postfix", "rspamd")

METRICS = "/var/lib/prometheus/node-exporter/postfix.prom"


@pytest.fixture
def mail(lab: LabUnderTest) -> Mail:
    return Mail(lab)


def metrics(lab: LabUnderTest, host: str) -> dict[str, float]:
    """The metrics, as of now."""
    assert lab.run(host, "systemctl start ent-postfix-metrics").rc == 0
    text = lab.run(host, "cat %s", METRICS).stdout
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in text.splitlines())
        if not name.startswith("#")
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"smtpd_relay_restriction": "permit"},  # no such setting
        {"message_size_limit": "many"},
    ],
)
def test_settings_that_postfix_refuses_never_reach_it(
    lab: LabUnderTest, mail: Mail, settings: dict[str, str]
) -> None:
    before = lab.run("mail1", "sha256sum /etc/postfix/main.cf").stdout
    run = lab.ansible(
        "playbooks/mail.yml",
        "--limit=mail1",
        "--extra-vars",
        json.dumps({"postfix_settings": settings}),
    )
    assert run.returncode != 0
    assert next(iter(settings)) in run.stdout
    assert lab.run("mail1", "sha256sum /etc/postfix/main.cf").stdout == before
    message = compose(OUTSIDE, "postmaster@univ-provence.fr")
    mail.send(message)
    mail.arrived("jmartin", message)


def test_an_alias_that_runs_in_circles_is_refused(lab: LabUnderTest) -> None:
    aliases = {"a@univ-provence.fr": ["b@univ-provence.fr"], "b@univ-provence.fr": ["a@x.example"]}
    run = lab.ansible(
        "playbooks/mail.yml",
        "--limit=mail1",
        "--extra-vars",
        json.dumps({"postfix_aliases": aliases}),
    )
    assert run.returncode != 0
    assert "b@univ-provence.fr" in run.stdout


def test_metrics_count_what_happens(lab: LabUnderTest, mail: Mail) -> None:
    before = metrics(lab, "mail1")
    message = compose(OUTSIDE, f"jeanne.martin@{lab.domain}")
    mail.send(message)
    mail.arrived("jmartin", message)
    with mail.submission("jmartin"):
        pass
    with pytest.raises(smtplib.SMTPAuthenticationError), mail.submission("mtnobody", "faux1"):
        pass
    with mail.smtp() as smtp:
        smtp.mail(OUTSIDE)
        smtp.rcpt("personne@univ-provence.fr")
    after = wait_for(
        lambda: (
            now
            if (now := metrics(lab, "mail1"))['postfix_sign_ins_total{result="failure"}']
            > before['postfix_sign_ins_total{result="failure"}']
            else None
        ),
        what="the failed sign-in in the metrics",
    )
    for name in (
        'postfix_deliveries_total{agent="lmtp",status="sent"}',
        'postfix_refusals_total{class="5xx"}',
        'postfix_sign_ins_total{result="success"}',
    ):
        assert after[name] > before.get(name, 0), name
    assert {f'postfix_queue_messages{{queue="{q}"}}' for q in ("active", "deferred")} <= set(after)
    assert lab.run("mail1", "systemctl is-active ent-postfix-metrics.timer").rc == 0


def test_journals_hold_no_contents(lab: LabUnderTest, mail: Mail) -> None:
    message = compose(
        OUTSIDE, f"jeanne.martin@{lab.domain}", subject="Sujet-tres-prive", body="Corps-prive\n"
    )
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="nom-prive.pdf")
    mail.send(message)
    mail.arrived("jmartin", message)
    with mail.submission("jmartin"):
        pass
    journal = lab.run("mail1", "journalctl --since -2min --no-pager").stdout
    assert message["Message-ID"] in journal
    assert not re.search("tres-prive|Corps-prive|nom-prive", journal)
    assert lab.secret("person-jmartin") not in journal


def test_secrets_are_for_the_services_only(lab: LabUnderTest) -> None:
    for path in ("/etc/postfix/ldap/states.cf", "/etc/rspamd/dkim/univ-provence.fr.ent1.key"):
        assert lab.run("mail1", "runuser -u nobody -- cat %s", path).rc != 0
    assert lab.secret("ldap-postfix") not in lab.run("mail1", "postconf; ps axww").stdout


def test_nothing_leaves_the_lab(lab: LabUnderTest, mail: Mail) -> None:
    """Mail for the world ends in the sink; a program that goes there itself is stopped."""
    message = compose(f"jeanne.martin@{lab.domain}", "quelquun@ouvert.example")
    with mail.submission("jmartin") as smtp:
        smtp.send_message(message)
    mail.in_sink("quelquun@ouvert.example", message["Message-ID"])
    for host in ("mail1", "mailup1"):
        refused = lab.run(
            host,
            "python3 -c 'import socket; socket.create_connection((\"192.0.2.25\", 25), 5)'",
        )
        assert "ConnectionRefused" in refused.stderr


def test_only_these_ports_are_open(lab: LabUnderTest) -> None:
    for host, port in (("mail1", 11332), ("mail1", 9900), ("mailup1", 11332), ("mailup1", 10026)):
        with pytest.raises(OSError):  # noqa: PT011
            socket.create_connection((lab.ip(host), port), timeout=5)


@pytest.mark.parametrize("host", ["mail1", "mailup1"])
def test_certificates_are_verified_between_our_servers(lab: LabUnderTest, host: str) -> None:
    """A server that cannot prove its name gets nothing: the mail waits."""
    nexthop = "[mail.univ-provence.fr]" if host == "mailup1" else "[mailup.univ-provence.fr]"
    policy = lab.run(host, "postmap -q %s texthash:/etc/postfix/tls", nexthop).stdout
    assert policy.strip() == "secure match=nexthop"
    probe = lab.run(
        host, "posttls-finger -c -l secure -F /etc/ssl/certs/ca-certificates.crt %s", nexthop
    )
    assert "Verified TLS connection established" in probe.stdout + probe.stderr
