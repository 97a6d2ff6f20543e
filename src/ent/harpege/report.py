"""What a run has to say, as text; and the mail of it."""

from __future__ import annotations

import smtplib
import socket
import ssl
import subprocess
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from ent.harpege.config import Report
from ent.harpege.messages import Speaker, mark, text_from
from ent.harpege.plan import SUMMARY
from ent.harpege.runs import DONE, FAILED, REFUSED, RUNNING, STOPPED, Run, local

#: Lines of each kind in a mail; the record and `ent-harpege status --json` have all.
MOST = 200

_COUNTED = {
    "created": mark("arrivées : {number}"),
    "returned": mark("retours : {number}"),
    "left": mark("départs (sursis) : {number}"),
    "suspended": mark("comptes suspendus : {number}"),
    "expired": mark("comptes expirés : {number}"),
    "changed": mark("fiches mises à jour : {number}"),
    "unchanged": mark("fiches sans changement : {number}"),
    "rejected": mark("rejets : {number}"),
    "elsewhere": mark("parties ou hors délai, sans rien à faire : {number}"),
    "structures": mark("structures : {number}"),
}
_OUTCOMES = {
    RUNNING: mark("en cours"),
    DONE: mark("terminé"),
    REFUSED: mark("refusé, rien n’a été écrit"),
    FAILED: mark("échoué"),
    STOPPED: mark("arrêté"),
}


def counted(counts: dict[str, int], say: Speaker) -> list[str]:
    """The sums of a run, without those that are zero."""
    return [say(_COUNTED[one], number=counts[one]) for one in SUMMARY if counts.get(one)]


def outcome(run: Run, say: Speaker) -> str:
    """How a run ended, in a word."""
    return say(_OUTCOMES.get(run.outcome, run.outcome))


def reject_line(reject: dict[str, Any], say: Speaker) -> str:
    """One rejected value: table, key, column, value and reason."""
    return say(
        mark("{table} {key}, {column} « {value} » : {reason}"),
        **{
            **reject,
            "key": visible(reject["key"]) if reject["key"] else "",
            "value": visible(reject["value"]),
            "reason": say(text_from(reject["reason"])),
        },
    )


def message_line(one: dict[str, Any], say: Speaker) -> str:
    """One note or failure."""
    return f"{one['code']} {one['login']} : {say(text_from(one['message']))}"


def visible(value: str) -> str:
    """A value with what cannot be seen written out; a null as Harpège's staff know it."""
    if not value:
        return "NULL"
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in value)


def body(run: Run, say: Speaker) -> str:
    """The whole report."""
    lines = [
        say(
            mark("Passage pour le {day}, commencé le {started} : {outcome}."),
            day=run.on,
            started=local(run.started),
            outcome=outcome(run, say),
        )
    ]
    if run.reason:
        lines += ["", say(text_from(run.reason))]
    if run.error:
        lines += ["", run.error]
    lines += ["", *counted(run.counts, say)]
    for title, rows, line in (
        (mark("Refusés par l’annuaire"), run.failures, message_line),
        (mark("Rejets, à corriger dans Harpège"), run.rejects, reject_line),
        (mark("À savoir"), run.notes, message_line),
    ):
        if rows:
            lines += ["", say(title), *(f"  {line(one, say)}" for one in rows[:MOST])]
            if len(rows) > MOST:
                lines.append(
                    say(
                        mark("  … et {number} autres : ent-harpege status --json"),
                        number=len(rows) - MOST,
                    )
                )
    return "\n".join(lines) + "\n"


def mail(run: Run, settings: Report) -> EmailMessage:
    """The report as a message, in the language of the settings."""
    say = Speaker(settings.language)
    message = EmailMessage()
    message["From"], message["To"] = settings.sender, ", ".join(settings.to)
    message["Subject"] = say(
        mark("Harpège → annuaire ({host}) : {outcome}, {written} écritures, {rejects} rejets"),
        host=socket.gethostname(),
        outcome=outcome(run, say),
        written=run.written,
        rejects=run.counts.get("rejected", 0),
    )
    message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid()
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
    message.set_content(body(run, say))
    return message


def send(message: EmailMessage, settings: Report) -> None:
    """Send through the SMTP host, or through the program sendmail.

    Raises OSError (smtplib's errors are), or subprocess.SubprocessError.
    """
    if settings.smtp_host:
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=30) as server:
            if settings.smtp_tls:
                server.starttls(context=ssl.create_default_context())
            server.send_message(message)
        return
    subprocess.run(
        [settings.sendmail, "-t", "-i"],
        input=message.as_bytes(),
        capture_output=True,
        check=True,
        timeout=60,
    )
