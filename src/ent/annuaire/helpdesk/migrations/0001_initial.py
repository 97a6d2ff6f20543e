"""Codes, and the audit trail that nobody alters.

The trail's order, times and hashes are made by the database, so that a process
that was taken over can neither backdate a line nor leave one out unnoticed. Even
the owner cannot change a line without first taking the triggers away; lines older
than a year may be taken away, and the only way for the running service is
`helpdesk_expire`, which leaves a line that says so.
"""

from typing import Any

from django.db import migrations, models

TRAIL = """
CREATE FUNCTION helpdesk_trail_chain() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  last record;
BEGIN
  -- one writer at a time, until its transaction ends: no gap, no two lines with one predecessor
  PERFORM pg_advisory_xact_lock(hashtext('helpdesk_trail'));
  SELECT number, hash, at INTO last FROM helpdesk_trailline ORDER BY number DESC LIMIT 1;
  NEW.number := coalesce(last.number, 0) + 1;
  NEW.previous := coalesce(last.hash, repeat('0', 64));
  NEW.at := greatest(clock_timestamp(), last.at);
  SELECT encode(sha256(convert_to(
        string_agg(octet_length(field) || ':' || field, '' ORDER BY place), 'UTF8')), 'hex')
    INTO NEW.hash
    FROM unnest(ARRAY[
      NEW.previous, NEW.number::text,
      to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      NEW.agent, NEW.address, NEW.action, NEW.person, NEW.outcome, NEW.operation, NEW.detail
    ]::text[]) WITH ORDINALITY AS fields (field, place);
  RETURN NEW;
END $$;

CREATE FUNCTION helpdesk_trail_keep() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.at < clock_timestamp() - interval '365 days' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit trail is only added to: % refused', TG_OP
    USING HINT = 'Lines older than a year expire through helpdesk_expire(days).';
END $$;

CREATE TRIGGER chain BEFORE INSERT ON helpdesk_trailline
  FOR EACH ROW EXECUTE FUNCTION helpdesk_trail_chain();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON helpdesk_trailline
  FOR EACH ROW EXECUTE FUNCTION helpdesk_trail_keep();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON helpdesk_trailline
  FOR EACH STATEMENT EXECUTE FUNCTION helpdesk_trail_keep();
-- also where session_replication_role would switch triggers off
ALTER TABLE helpdesk_trailline ENABLE ALWAYS TRIGGER chain;
ALTER TABLE helpdesk_trailline ENABLE ALWAYS TRIGGER keep;
ALTER TABLE helpdesk_trailline ENABLE ALWAYS TRIGGER keep_all;

CREATE FUNCTION helpdesk_expire(days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  up_to record;
  gone bigint;
BEGIN
  IF days < 365 THEN
    RAISE EXCEPTION 'the audit trail is kept for 365 days at least, not %', days;
  END IF;
  SELECT number, hash INTO up_to FROM helpdesk_trailline
    WHERE at < clock_timestamp() - make_interval(days => days) ORDER BY number DESC LIMIT 1;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  -- first the line that says where the trail now begins, so that it is never empty
  INSERT INTO helpdesk_trailline
      (number, at, agent, address, action, person, outcome, operation, detail, previous, hash)
    VALUES (0, clock_timestamp(), '', '', 'expire', '', 'done', '',
            'until:' || up_to.number || ':' || up_to.hash, '', '');
  DELETE FROM helpdesk_trailline WHERE number <= up_to.number;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
REVOKE ALL ON FUNCTION helpdesk_expire(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION helpdesk_expire(integer) TO helpdesk;
"""

NO_TRAIL = """
DROP FUNCTION helpdesk_expire(integer);
DROP TRIGGER chain ON helpdesk_trailline;
DROP TRIGGER keep ON helpdesk_trailline;
DROP TRIGGER keep_all ON helpdesk_trailline;
DROP FUNCTION helpdesk_trail_chain();
DROP FUNCTION helpdesk_trail_keep();
"""


def _on_postgresql(sql: str) -> Any:
    def run(apps: Any, editor: Any) -> None:
        if editor.connection.vendor == "postgresql":  # SQLite: unit tests of pages
            editor.execute(sql, params=None)

    return run


class Migration(migrations.Migration):
    """Make the tables, and guard the trail."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="OneTimeCode",
            fields=[
                ("person", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("digest", models.BinaryField()),
                ("issued_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("issued_by", models.CharField(max_length=64)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("used_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="TrailLine",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("agent", models.CharField(blank=True, max_length=64)),
                ("address", models.CharField(blank=True, max_length=64)),
                ("action", models.CharField(max_length=16)),
                ("person", models.CharField(blank=True, max_length=64)),
                ("outcome", models.CharField(max_length=16)),
                ("operation", models.CharField(blank=True, max_length=32)),
                ("detail", models.CharField(blank=True, max_length=120)),
                ("previous", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["person", "number"], name="helpdesk_trail_person"),
                    models.Index(fields=["agent", "number"], name="helpdesk_trail_agent"),
                    models.Index(fields=["operation"], name="helpdesk_trail_operation"),
                    models.Index(fields=["at"], name="helpdesk_trail_at"),
                ],
            },
        ),
        migrations.RunPython(_on_postgresql(TRAIL), _on_postgresql(NO_TRAIL)),
    )
