"""The services themselves: settings that are tried first, metrics, journals, where mail may go."""

from __future__ import annotations

import json
import re
import smtplib
import socket
from email.message import EmailMessage

import pytest

from integration.test_mailmove import activate
from lab import LabUnderTest, wait_for
from mail import GTUBE, OUTSIDE, Mail, compose, holder, people
from mailmove import done, forget
from openldap_client import Directory

pytestmark = [
    pytest.mark.uses("mailmove"),
    pytest.mark.service("mail1", "postfix", "rspamd"),
    pytest.mark.usefixtures("forgiven"),
]

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
    told = lab.refused(
        "playbooks/mail.yml",
        "--limit=mail1",
        "--extra-vars",
        json.dumps({"postfix_settings": settings}),
    )
    assert next(iter(settings)) in told
    assert lab.run("mail1", "sha256sum /etc/postfix/main.cf").stdout == before
    message = compose(OUTSIDE, "postmaster@univ-provence.fr")
    mail.send(message)
    mail.arrived("jmartin", message)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"multimap.conf": "essai { type = "}, "multimap.conf"),
        ({"worker-proxy.inc": 'count = "beaucoup";'}, "option count"),
    ],
)
def test_settings_that_rspamd_refuses_never_reach_it(
    lab: LabUnderTest, mail: Mail, settings: dict[str, str], said: str
) -> None:
    state = "find /etc/rspamd -type f | sort | xargs sha256sum; systemctl show -p MainPID rspamd"
    before = lab.run("mail1", state).stdout
    told = lab.refused(
        "playbooks/mail.yml",
        "--limit=mail1",
        "--extra-vars",
        json.dumps({"rspamd_settings": settings}),
    )
    assert "rspamd does not take these settings, and goes on with those it has" in told
    assert said in told
    assert lab.run("mail1", state).stdout == before
    message = compose(OUTSIDE, "postmaster@univ-provence.fr")
    mail.send(message)
    mail.arrived("jmartin", message)


@pytest.mark.alone("mail1")
def test_settings_of_the_site_come_and_go(lab: LabUnderTest, mail: Mail) -> None:
    def converge(settings: dict[str, str]) -> str:
        run = lab.ansible(
            "playbooks/mail.yml",
            "--limit=mail1",
            "--extra-vars",
            json.dumps({"rspamd_settings": settings}),
        )
        assert run.returncode == 0, run.stdout[-2000:]
        mail.arrived("jmartin", mail.takes_mail())
        return str(lab.run("mail1", "rspamadm configdump actions").stdout)

    try:
        assert re.search(
            r"rewrite_subject = 11", converge({"actions.conf": "rewrite_subject = 11;"})
        )
    finally:
        assert "rewrite_subject = 11" not in converge({})


def test_an_alias_that_runs_in_circles_is_refused(lab: LabUnderTest) -> None:
    aliases = {"a@univ-provence.fr": ["b@univ-provence.fr"], "b@univ-provence.fr": ["a@x.example"]}
    told = lab.refused(
        "playbooks/mail.yml",
        "--limit=mail1",
        "--extra-vars",
        json.dumps({"postfix_aliases": aliases}),
    )
    assert "b@univ-provence.fr" in told


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
    counters = (
        'postfix_deliveries_total{agent="lmtp",status="sent"}',
        'postfix_refusals_total{class="5xx"}',
        'postfix_sign_ins_total{result="success"}',
        'postfix_sign_ins_total{result="failure"}',
    )

    def counted() -> dict[str, float] | None:
        now = metrics(lab, "mail1")
        return now if all(now.get(one, 0) > before.get(one, 0) for one in counters) else None

    after = wait_for(counted, what=f"more in each of {counters}")
    assert {f'postfix_queue_messages{{queue="{q}"}}' for q in ("active", "deferred")} <= set(after)
    assert lab.run("mail1", "systemctl is-active ent-postfix-metrics.timer").rc == 0


PRIVATE = ("sujet-tres-prive", "corps-prive", "nom-prive", "description-privee")


def private(sender: str, *recipients: str, body: str = "") -> EmailMessage:
    """A message whose contents are recognised wherever they come up."""
    subject, text, name, description = PRIVATE
    message = compose(sender, *recipients, subject=subject, body=f"{text}\n{body}")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename=f"{name}.pdf")
    [attachment] = message.iter_attachments()
    attachment["Content-Description"] = description
    return message


def journal(lab: LabUnderTest, host: str, since: str) -> str:
    """All that a host has written down, by whatever service."""
    text = lab.run(
        host,
        "journalctl --no-pager -o cat --since %s; "
        "find /var/log -path /var/log/journal -prune -o -type f -newermt %s -print | xargs -r cat",
        f"@{since}",
        f"@{since}",
    )
    return str(text.stdout).lower()


@pytest.mark.service("mailup1", "postfix", "rspamd", "dovecot", "ent-mailmove")
def test_journals_hold_no_contents(lab: LabUnderTest, mail: Mail) -> None:
    """Of mail that arrives, is forwarded, moved, sent, kept, refused or sent back."""
    uid, password = "mtjournal", "journal2026"
    new, legacy = f"{uid}@{lab.domain}", f"{uid}@up.univ-aix.fr"
    since = lab.run("mail1", "date +%s").stdout.strip()
    directory = Directory(lab)
    arrived: list[EmailMessage] = []
    with people(lab, holder(uid, legacy, state="I:SupannPrecree", entMailQuota="1")):
        old = private(OUTSIDE, legacy)
        mail.send(old, server=mail.legacy_server)
        mail.delivered("mailup1", uid, old)
        activate(directory, uid)
        directory.as_root(
            f"dn: {directory.dn(uid)}\nchangetype: modify\n"
            f"replace: userPassword\nuserPassword: {password}\n"
        )
        wait_for(done(lab, uid, 1), what="the old message has been moved")
        for server, address in ((mail.legacy_server, legacy), (mail.server, new)):
            message = private(OUTSIDE, address)
            mail.send(message, server=server)
            arrived.append(message)
        own = private(new, new)
        with mail.submission(uid, password) as smtp:
            smtp.send_message(own)
            with pytest.raises(smtplib.SMTPDataError):  # a sender who is somebody else
                smtp.sendmail(new, [new], private(OUTSIDE, new).as_bytes())
            leaving = private(new, "quelquun@ouvert.example")
            smtp.send_message(leaving)
        mail.in_sink("quelquun@ouvert.example", leaving["Message-ID"])
        for message in (*arrived, own):
            mail.arrived(uid, message, password)
        for server, address in ((mail.legacy_server, legacy), (mail.server, new)):
            with pytest.raises(smtplib.SMTPDataError):
                mail.send(private(OUTSIDE, address, body=f"{GTUBE}\n"), server=server)
        for _ in range(2):
            mail.send(private(OUTSIDE, new, body="y" * 700_000 + "\n"))
        kept = private(OUTSIDE, legacy)
        wait_for(lambda: full(lab, uid), what="a full mailbox")
        mail.send(kept, server=mail.legacy_server)
        wait_for(lambda: mail.queue("mail1", uid), what="a message that waits")
        directory.as_root(
            f"dn: {directory.dn(uid)}\nchangetype: modify\nreplace: supannRessourceEtat\n"
            "supannRessourceEtat: {COMPTE}I:SupannExpire\n"
        )
        mail.drained("mail1", uid)
        mail.in_sink(OUTSIDE, kept["Message-ID"])  # goes back
        forget(lab, uid)
    for host, told in (("mail1", own), ("mailup1", old)):
        text = journal(lab, host, since)
        assert told["Message-ID"].lower() in text, "not the journal of these messages"
        for word in (*PRIVATE, password, lab.secret("person-jmartin").lower()):
            assert word not in text, (host, word)


def full(lab: LabUnderTest, uid: str) -> bool:
    """Whether a mailbox has no room left."""
    said = lab.run("mail1", "doveadm -f flow quota get -u %s", uid).stdout
    found = re.search(r"Type=STORAGE Value=(\d+) Limit=(\d+)", said)
    return bool(found) and int(found[1]) >= int(found[2])


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
