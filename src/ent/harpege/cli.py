"""The command `ent-harpege`.

Exit statuses (docs/feed-rules.md): 0 done; 1 done, with something to mend; 2 wrong use;
3 refused, nothing was written; 4 Harpège; 5 the directory; 6 another run is under way;
7 settings; 8 stopped by a signal; 9 a fault of the program or of its host. `status` has
those of monitoring plug-ins instead.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from ent.directory import Directory, DirectoryUnavailable
from ent.harpege import logs, mailup, report
from ent.harpege.apply import Outcome, apply_plan, entry_of
from ent.harpege.config import DEFAULT_PATH, FeedConfig, feed_config
from ent.harpege.explain import explain
from ent.harpege.messages import Speaker, Text, language_of, mark, tell
from ent.harpege.plan import Action, Plan, changes_to_json, make_plan
from ent.harpege.runs import DONE, FAILED, REFUSED, STOPPED, Locked, Run, Runs, local
from ent.harpege.source import Source, SourceError
from ent.harpege.status import status as current_status
from ent.web.config import ConfigError

log = logging.getLogger(__name__)
_ = say = Speaker(language_of())

(
    DONE_STATUS,
    ATTENTION,
    USAGE,
    REFUSED_STATUS,
    SOURCE,
    DIRECTORY,
    LOCKED,
    SETTINGS,
    STOPPED_STATUS,
    FAULT,
) = range(10)


class _Stopped(BaseException):
    """A signal asks the process to end."""


def main(arguments: list[str]) -> int:
    """Run a command; the exit status."""
    try:
        result = commands.main(arguments, prog_name="ent-harpege", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Abort:
        return STOPPED_STATUS
    except _Stopped:
        click.echo(_("Arrêté par un signal."), err=True)
        return STOPPED_STATUS
    except ConfigError as error:
        click.echo(_("Réglages inutilisables : {error}", error=error), err=True)
        return SETTINGS
    except Locked as error:
        click.echo(_locked(error), err=True)
        return LOCKED
    except SourceError as error:
        click.echo(str(error), err=True)
        return SOURCE
    except DirectoryUnavailable as error:
        click.echo(_("L’annuaire ne répond pas, ou refuse : {error}", error=error), err=True)
        return DIRECTORY
    except BrokenPipeError:
        # who reads has seen enough: `plan | less`, then q
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED_STATUS
    except OSError as error:
        click.echo(str(error), err=True)
        return FAULT
    except Exception:
        # Python's own status for this is 1, which means something else here
        log.exception("unexpected error")
        return FAULT
    return int(result or 0)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=_(
        "Alimente l’annuaire LDAP depuis Harpège.\n\n"
        "Chaque nuit, ent-harpege.timer lance `apply`. Pour voir avant de faire : `plan`. "
        "Pour comprendre une fiche : `person CODE`. Pour savoir si tout va bien : `status`."
    ),
    epilog=_(
        "Codes de retour : 0 fait ; 1 fait, avec des rejets à corriger ; 3 refusé, rien n’a été "
        "écrit ; 4 Harpège ; 5 annuaire ; 6 un autre passage est en cours ; 7 réglages ; "
        "8 arrêté ; 9 défaut du programme ou de la machine."
    ),
)
@click.option(
    "--settings",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ENT_HARPEGE_SETTINGS",
    default=DEFAULT_PATH,
    show_default=True,
    help=_("Fichier de réglages."),
)
@click.option("--verbose", "-v", is_flag=True, help=_("Dire chaque écriture sur le terminal."))
@click.pass_context
def commands(context: click.Context, settings: Path, verbose: bool) -> None:
    """Read the settings when a command needs them."""
    logs.start(verbose=verbose)
    context.obj = settings


_on = click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar=_("AAAA-MM-JJ"),
    help=_("Faire comme si c’était ce jour-là."),
)
_accept = click.option(
    "--accept-departures",
    "accepted",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help=_("Admettre jusqu’à N départs non annoncés, après avoir regardé qui."),
)


@commands.command(
    short_help=_("Montrer ce qui changerait."),
    help=_("Montrer ce qui changerait, personne par personne et en somme, sans rien écrire."),
)
@click.option(
    "--json", "as_json", is_flag=True, help=_("En JSON (format dans docs/feed-rules.md).")
)
@click.option("--summary", is_flag=True, help=_("Seulement les sommes, les rejets et les notes."))
@_on
@_accept
@click.pass_obj
def plan(settings: Path, as_json: bool, summary: bool, day: datetime | None, accepted: int) -> int:
    """`ent-harpege plan`."""
    config = feed_config(settings)
    with _planned(config, _day(day), accepted) as made:
        if as_json:
            _print_json(made, config)
        else:
            _print_text(made, summary=summary)
        if made.refusal is not None:
            return REFUSED_STATUS
        return ATTENTION if made.rejects or made.notes else DONE_STATUS


@commands.command(
    short_help=_("Écrire ce qui change."),
    help=_(
        "Écrire dans l’annuaire ce que montre `plan`. Avec --on, les états et les délais sont "
        "ceux de ce jour-là : pour un essai, pas pour la production."
    ),
)
@_accept
@_on
@click.option("--no-mail", is_flag=True, help=_("Ne pas envoyer le compte rendu."))
@click.option("--log-json", is_flag=True, help=_("Journal en JSON et rien d’autre (systemd)."))
@click.pass_obj
def apply(
    settings: Path, accepted: int, day: datetime | None, *, no_mail: bool, log_json: bool
) -> int:
    """`ent-harpege apply`."""
    if log_json:
        logs.start(verbose=True, as_json=True)
    config, today = feed_config(settings), _day(day)
    runs = Runs(config.state_directory)
    with _signals(), runs.alone("apply"):
        run = runs.start("apply", today.isoformat())
        log.info("run started", extra={"run": run.id, "on": run.on})
        outcome = Outcome()
        try:
            code = _apply(config, today, accepted, run, outcome)
        except _Stopped:
            run.end(STOPPED)
            code = STOPPED_STATUS
        except BaseException as error:
            run.end(FAILED, tell(mark("Erreur inattendue ; voir le journal.")), repr(error))
            raise
        finally:
            run.wrote(outcome)
            runs.save(run)
            _log_end(run)
            if not no_mail and config.report.to and run.has_something_to_say:
                _mail(run, config)
    # a service's output goes where its log goes, which is JSON
    if not log_json and "JOURNAL_STREAM" not in os.environ:
        click.echo(report.body(run, say), nl=False)
    return code


def _apply(config: FeedConfig, today: date, accepted: int, run: Run, outcome: Outcome) -> int:
    """Plan and write; how it ends is in `run`."""
    try:
        with _planned(config, today, accepted) as made:
            run.planned(made)
            if made.refusal is not None:
                run.end(REFUSED, made.refusal)
                return REFUSED_STATUS
            with _directory(config) as directory, _progress(_("Écriture")) as progress:
                apply_plan(made, directory, config, outcome, progress)
    except SourceError as error:
        run.end(FAILED, tell(mark("Harpège n’a pas pu être lu ; rien n’a été écrit.")), str(error))
        return SOURCE
    except DirectoryUnavailable as error:
        reason = tell(
            mark(
                "L’annuaire n’a pas répondu ; ce qui est écrit est complet, "
                "le reste attend le prochain passage."
            )
        )
        run.end(FAILED, reason, str(error))
        return DIRECTORY
    run.end(DONE)
    run.wrote(outcome)
    return ATTENTION if run.needs_attention else DONE_STATUS


@commands.command(
    short_help=_("Dire si tout va bien."),
    help=_(
        "Dire comment vont les passages : les derniers, le prochain, les rejets en attente. "
        "Codes de retour pour la supervision : 0 bien, 1 à corriger, 2 en panne, 3 inconnu."
    ),
)
@click.option("--json", "as_json", is_flag=True, help=_("En JSON."))
@click.pass_obj
def status(settings: Path, as_json: bool) -> int:
    """`ent-harpege status`."""
    now = current_status(feed_config(settings))
    if as_json:
        click.echo(json.dumps(now.to_json(), ensure_ascii=False, indent=1))
        return int(now.health)
    click.echo(f"{now.health.name} - {say(now.summary)}")
    if now.holder:
        click.echo(_("En cours : {command}, processus {pid}, depuis {since}.", **now.holder))
    click.echo(_("Prochain passage : {next}", next=now.next_run or _("aucun de prévu")))
    for run in now.runs:
        sums = ", ".join(report.counted(run.counts, say))
        click.echo(f"  {local(run.started)}  {run.command:<7}  {report.outcome(run, say)}  {sums}")
    if now.last is not None and now.last.needs_attention:
        click.echo()
        click.echo(report.body(now.last, say), nl=False)
    return int(now.health)


@commands.command(
    short_help=_("Dire tout d’une personne."),
    help=_(
        "Dire tout d’une personne : ce que dit Harpège, ce que dit l’annuaire, et pourquoi.\n\n"
        "CODE est le numéro Harpège (NO_INDIVIDU)."
    ),
)
@click.argument("code", type=click.IntRange(min=1, max=2**63 - 1))
@_on
@click.pass_obj
def person(settings: Path, code: int, day: datetime | None) -> int:
    """`ent-harpege person`."""
    config = feed_config(settings)
    with Source(config.source).snapshot(only=code) as snapshot, _directory(config) as directory:
        for line in explain(code, snapshot, directory, config, _day(day), say=say):
            click.echo(line)
    return DONE_STATUS


@commands.command(
    "mailup",
    short_help=_("Reprendre les adresses de l’ancien serveur."),
    help=_(
        "Donner aux personnes leurs adresses de l’ancien serveur de courrier.\n\n"
        "FICHIER est un CSV (format dans docs/feed-rules.md). Sans --apply, montre seulement. "
        "Ce qui est ambigu est listé, jamais deviné."
    ),
)
@click.argument("file", metavar=_("FICHIER"), type=click.Path(path_type=Path))
@click.option("--apply", "write", is_flag=True, help=_("Écrire dans l’annuaire."))
@click.pass_obj
def mailup_command(settings: Path, file: Path, write: bool) -> int:
    """`ent-harpege mailup`."""
    config = feed_config(settings)
    given: list[mailup.Addition] = []
    try:
        accounts, doubts = mailup.read(file, config.legacy_domains)
    except mailup.FileError as error:
        raise click.UsageError(f"{file} : {say(error.reason)}") from error
    except OSError as error:
        sentence = _(
            "{file} ne peut pas être lu ({error}) ; la commande le lit en tant que {user}, "
            "voir docs/feed.md.",
            file=file,
            error=error.strerror or error,
            user=getpass.getuser(),
        )
        raise click.UsageError(sentence) from error
    with _directory(config) as directory:
        if not write:
            matching = mailup.match(accounts, doubts, directory, config.ldap.suffix)
            for one in matching.additions:
                click.echo(f"+ {one.code} {one.login}: {', '.join(one.addresses)}")
        else:
            with _signals(), Runs(config.state_directory).alone("mailup"):
                matching = mailup.match(accounts, doubts, directory, config.ldap.suffix)
                mailup.write(matching, directory, config, lambda one: _added(one, given))
    for doubt in matching.doubts:
        click.echo(
            _(
                "ligne {line}, {account} : {reason}",
                line=doubt.line,
                account=doubt.account,
                reason=say(doubt.reason),
            )
        )
    sums = mark(
        "Adresses à donner : {additions} ; lignes déjà faites : {complete} ; "
        "lignes à décider : {doubts}."
    )
    additions = matching.additions
    if write:
        additions = given
        sums = mark(
            "Adresses données : {additions} ; lignes déjà faites : {complete} ; "
            "lignes à décider : {doubts}."
        )
    click.echo(
        _(
            sums,
            additions=sum(len(one.addresses) for one in additions),
            complete=matching.complete,
            doubts=len(matching.doubts),
        )
    )
    if matching.additions and not write:
        click.echo(_("Rien n’a été écrit ; avec --apply, ce le sera."))
    return ATTENTION if matching.doubts else DONE_STATUS


def _added(addition: mailup.Addition, given: list[mailup.Addition]) -> None:
    given.append(addition)
    log.info(
        "addresses added",
        extra={"code": addition.code, "login": addition.login, "addresses": addition.addresses},
    )
    click.echo(f"+ {addition.code} {addition.login}: {', '.join(addition.addresses)}")


@commands.command(
    "check-settings",
    short_help=_("Vérifier des réglages."),
    help=_("Vérifier un fichier de réglages, sans rien contacter."),
)
@click.argument("file", metavar=_("FICHIER"), type=click.Path(path_type=Path))
def check_settings(file: Path) -> int:
    """`ent-harpege check-settings`, for the role."""
    feed_config(file)
    return DONE_STATUS


# What the commands share


def _day(day: datetime | None) -> date:
    return day.date() if day is not None else date.today()


@contextmanager
def _directory(config: FeedConfig) -> Iterator[Directory]:
    directory = Directory(config.ldap.settings())
    try:
        yield directory
    finally:
        directory.close()


@contextmanager
def _planned(config: FeedConfig, today: date, accepted: int) -> Iterator[Plan]:
    """The plan of today; Harpège is let go before anybody looks at it."""
    with _directory(config) as directory:
        with (
            Source(config.source).snapshot() as snapshot,
            _progress(_("Comparaison")) as progress,
        ):
            made = make_plan(
                snapshot, directory, config, today, accepted=accepted, progress=progress
            )
        with made:
            yield made


@contextmanager
def _progress(label: str) -> Iterator[Any]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield show


@contextmanager
def _signals() -> Iterator[None]:
    """Let systemd's signal, or Ctrl-C, end a run in order: what is under way is finished."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # once is enough
        raise _Stopped

    before = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _mail(run: Run, config: FeedConfig) -> None:
    try:
        report.send(report.mail(run, config.report), config.report)
    except (OSError, subprocess.SubprocessError) as error:
        # the run is what it is without its mail; `status` says the same
        log.error("report not sent", extra={"to": config.report.to, "cause": str(error)})


def _log_end(run: Run) -> None:
    level = logging.INFO if run.outcome == DONE else logging.ERROR
    log.log(
        level,
        "run ended",
        extra={
            "run": run.id,
            "outcome": run.outcome,
            "counts": run.counts,
            "written": run.written,
            "failures": len(run.failures),
            "error": run.error,
        },
    )
    for reject in run.rejects:
        log.warning("rejected", extra={**reject, "reason": Speaker("en")(_text(reject["reason"]))})


def _text(data: dict[str, Any]) -> Text:
    return Text(data["sentence"], data["values"])


def _locked(error: Locked) -> str:
    holder = {"command": "?", "pid": "?", "since": "?"} | error.holder
    return _(
        "Un autre passage est en cours : {command}, processus {pid}, depuis {since}. "
        "Attendre sa fin, ou le regarder avec `ent-harpege status`.",
        **holder,
    )


def _print_text(made: Plan, *, summary: bool) -> None:
    if made.refusal is not None:
        click.echo(say(made.refusal))
        click.echo()
    if not summary:
        for action in made.actions():
            click.echo(_action_line(action))
    for title, lines in (
        (
            _("Rejets, à corriger dans Harpège"),
            [report.reject_line(one.to_json(), say) for one in made.rejects],
        ),
        (_("À savoir"), [report.message_line(one.to_json(), say) for one in made.notes]),
    ):
        if lines:
            click.echo(f"\n{title}")
            for line in lines:
                click.echo(f"  {line}")
    sums = report.counted(dict(made.counts), say)
    click.echo("\n" + (", ".join(sums) or _("rien à faire")))
    click.echo(
        _(
            "Départs non annoncés : {number}, au plus {allowed} admis.",
            number=made.departures,
            allowed=made.allowed,
        )
    )


def _action_line(action: Action) -> str:
    sign = "+" if action.kind in ("create", "add") else "~"
    where = action.login or _("structure")
    why = " ; ".join(say(one) for one in action.reasons)
    return f"{sign} {action.code} {where} ({action.label})" + (f" : {why}" if why else "")


def _print_json(made: Plan, config: FeedConfig) -> None:
    """One JSON object, written as it goes: a first load does not fit in memory."""
    head = {
        "on": made.today.isoformat(),
        "refused": say(made.refusal) if made.refusal else None,
        "counts": dict(made.counts),
        "departures": {"unannounced": made.departures, "allowed": made.allowed},
        "rows": dict(made.rows),
        "rejects": [{**one.to_json(), "reason": say(one.reason)} for one in made.rejects],
        "notes": [{**one.to_json(), "message": say(one.message)} for one in made.notes],
    }
    click.echo(json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "actions": [', nl=False)
    separator = "\n  "
    for action in made.actions():
        shown: dict[str, Any] = {
            "action": action.kind,
            "code": action.code,
            "login": action.login or None,
            "label": action.label,
            "reasons": [say(one) for one in action.reasons],
        }
        if action.changes:
            shown["changes"] = changes_to_json(action.changes)
        else:
            shown["attributes"] = entry_of(made.today, action, config.domain)
        click.echo(separator + json.dumps(shown, ensure_ascii=False), nl=False)
        separator = ",\n  "
    click.echo("\n ]\n}")
