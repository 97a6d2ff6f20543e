#!/usr/bin/perl
# perl ent-sso.pl check FILE   does the portal start with this configuration?
# perl ent-sso.pl settle       create what is missing in the database; say what was
#                              created and what runs with older settings
# perl ent-sso.pl purge        delete what expired (hourly timer)

use strict;
use warnings;
use JSON ();
use Time::HiRes qw(stat time);

my $CONFIGURATION = '/var/lib/lemonldap-ng/conf/lmConf-1.json';

my @SCHEMA = (
    [ sessions => q{CREATE TABLE sessions (id varchar(64) PRIMARY KEY, a_session jsonb NOT NULL)} ],
    [ sessions_utime => q{CREATE INDEX sessions_utime ON sessions (((a_session ->> '_utime')::bigint))} ],
    [ sessions_uid => q{CREATE INDEX sessions_uid ON sessions ((a_session ->> 'uid'))} ],
    [ cas_tickets => q{CREATE TABLE cas_tickets (id varchar(64) PRIMARY KEY, a_session jsonb NOT NULL)} ],
    [ cas_tickets_session => q{CREATE INDEX cas_tickets_session ON cas_tickets ((a_session ->> 'session'))} ],
    [ service_sessions => q{CREATE TABLE service_sessions (session varchar(64) NOT NULL, ticket text NOT NULL,}
          . q{ service text NOT NULL, opened_at timestamptz NOT NULL DEFAULT now())} ],
    [ service_sessions_session => q{CREATE INDEX service_sessions_session ON service_sessions (session)} ],
    [ failures => q{CREATE TABLE failures (login varchar(64) NOT NULL,}
          . q{ failed_at timestamptz NOT NULL DEFAULT now())} ],
    [ failures_login => q{CREATE INDEX failures_login ON failures (login, failed_at)} ],
);

# What the help desk may do here: ask how long a login is closed, and open it. The
# functions run as their owner; the roles that may call them can read no table. A
# login comes hashed, with the same key as in Ent::Auth, whose rule this repeats.
my %HELPDESK = (
    'failures(login_key text)' => q{ RETURNS TABLE (failures bigint, closed_seconds integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
SELECT count(*), greatest(0,
    CASE WHEN count(*) FILTER (WHERE age < %1$d) >= %2$d THEN ceil(%1$d - min(age)) END,
    CASE WHEN count(*) >= %4$d THEN ceil(%3$d - (array_agg(age ORDER BY age))[%4$d]) END)::integer
FROM (SELECT extract(epoch FROM now() - failed_at) AS age FROM public.failures WHERE login = login_key) f
WHERE age < greatest(%1$d, %3$d) $$},
    'forget_failures(login_key text)' => q{ RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
WITH gone AS (DELETE FROM public.failures WHERE login = login_key RETURNING 1) SELECT count(*) FROM gone $$},
);

# What the services read when they start. A run that was killed between writing
# a file and restarting the service is made good by the next one.
my %FILES = (
    nginx     => [qw(/etc/nginx/conf.d/lemonldap.conf /etc/nginx/lemonldap_fastcgi.conf)],
    lemonldap => [
        $CONFIGURATION,
        qw(/etc/lemonldap-ng/lemonldap-ng.ini /etc/default/lemonldap-ng-fastcgi-server
          /etc/systemd/system/lemonldap-ng-fastcgi-server.service.d/ent.conf
          /usr/local/lib/site_perl/Ent/*.pm /usr/local/share/ent-sso/preload.pl)
    ],
);

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or return '';
    local $/;
    return <$fh> // '';
}

# Processes that show when a service last read its settings: nginx starts new
# workers when it reloads.
sub pids {
    my ($name) = @_;
    if ( $name eq 'nginx' ) {
        my $master = slurp('/run/nginx.pid') + 0 or return;
        return split ' ', slurp("/proc/$master/task/$master/children");
    }
    my ($pid) = `systemctl show -P MainPID lemonldap-ng-fastcgi-server` =~ /(\d+)/;
    return $pid || ();
}

# When the youngest of these processes started, in seconds since the epoch.
sub started {
    my @pids   = @_;
    my ($up)   = slurp('/proc/uptime') =~ /\A([0-9.]+)/;
    my $youngest;
    for my $pid (@pids) {
        my ($fields) = slurp("/proc/$pid/stat") =~ /\) (.*)/ or next;
        my $start = time - $up + ( split ' ', $fields )[19] / 100;
        $youngest = $start if !$youngest || $start > $youngest;
    }
    return $youngest;
}

sub configuration {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return JSON::decode_json(<$fh>);
}

sub database {
    my ($conf) = @_;
    require Ent::SessionStore;
    return Ent::SessionStore->handle( $conf->{globalStorageOptions} );
}

# Makes the help desk's functions and gives them to these roles and no others;
# says what it changed. Without roles there is no schema helpdesk. Who may connect
# is the database server's business.
sub settle_helpdesk {
    my ( $dbh, $conf ) = @_;
    my @roles = split ' ', $conf->{entHelpdeskRoles} // '';
    my %now   = map { $_ => 1 } @{
        $dbh->selectcol_arrayref( q{SELECT rolname FROM pg_namespace, aclexplode(nspacl), pg_roles r}
              . q{ WHERE nspname = 'helpdesk' AND grantee = r.oid AND grantee <> nspowner} )
    };
    for my $gone ( grep { my $role = $_; !grep { $_ eq $role } @roles } sort keys %now ) {
        my $role = $dbh->quote_identifier($gone);
        $dbh->do("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA helpdesk FROM $role");
        $dbh->do("REVOKE ALL ON SCHEMA helpdesk FROM $role");
        print "taken from $gone: schema helpdesk\n";
    }
    my ($schema) = $dbh->selectrow_array(q{SELECT to_regnamespace('helpdesk')});
    unless (@roles) {
        $dbh->do('DROP SCHEMA helpdesk CASCADE') if $schema;
        print "removed schema helpdesk\n"       if $schema;
        return;
    }
    unless ($schema) {
        $dbh->do('CREATE SCHEMA helpdesk');
        print "created schema helpdesk\n";
    }
    for my $signature ( sort keys %HELPDESK ) {
        no warnings 'redundant';    # one of them has no use for the limits
        my $sql = sprintf $HELPDESK{$signature},
          @{$conf}{qw(entLockSeconds entMaxFailures entSlowSeconds entSlowFailures)};
        my ($name)   = $signature =~ /\A(\w+)/;
        my ($source) = $sql       =~ /\$\$(.*)\$\$/s;
        my ($present) = $dbh->selectrow_array(
            q{SELECT prosrc FROM pg_proc WHERE pronamespace = 'helpdesk'::regnamespace AND proname = ?},
            undef, $name
        );
        next if defined $present && $present eq $source;
        $dbh->do("CREATE OR REPLACE FUNCTION helpdesk.$signature$sql");
        $dbh->do("REVOKE ALL ON FUNCTION helpdesk.$name(text) FROM PUBLIC");
        print defined $present ? 'changed' : 'created', " function helpdesk.$name\n";
    }
    for my $name (@roles) {
        $dbh->selectrow_array( 'SELECT 1 FROM pg_roles WHERE rolname = ?', undef, $name )
          or die "lemonldap_helpdesk_roles names $name, which the database server does not know:"
          . " list it in postgresql_roles and run the database playbook first\n";
        my ($missing) = $dbh->selectrow_array(
            q{SELECT NOT (has_schema_privilege($1::name, 'helpdesk', 'USAGE')}
              . q{ AND (SELECT bool_and(has_function_privilege($1::name, oid, 'EXECUTE'))}
              . q{ FROM pg_proc WHERE pronamespace = 'helpdesk'::regnamespace))},
            undef, $name
        );
        next unless $missing;
        my $role = $dbh->quote_identifier($name);
        $dbh->do("GRANT USAGE ON SCHEMA helpdesk TO $role");
        $dbh->do("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA helpdesk TO $role");
        print "given to $name: schema helpdesk\n";
    }
}

my %command = (
    check => sub {
        my ($file) = @_;
        configuration($file);
        require File::Copy;
        require File::Temp;
        my $dir = File::Temp::tempdir( CLEANUP => 1 );
        File::Copy::copy( $file, "$dir/lmConf-1.json" ) or die "$dir: $!\n";
        $ENV{LLNG_DEFAULTLOGGER} = 'Lemonldap::NG::Common::Logger::Std';
        require Lemonldap::NG::Portal::Main;
        my $portal = Lemonldap::NG::Portal::Main->new;
        my $ok     = $portal->init(
            { configStorage => { type => 'File', dirName => $dir }, logLevel => 'warn' } );
        die 'The portal does not start: ' . ( $portal->error || 'see above' ) . "\n" unless $ok;
    },
    settle => sub {
        my $conf = configuration($CONFIGURATION);
        my $dbh  = database($conf);
        local $dbh->{AutoCommit} = 0;
        # Two nodes converged together must not create the same table.
        $dbh->do('SELECT pg_advisory_xact_lock(20081)');
        for (@SCHEMA) {
            my ( $name, $sql ) = @$_;
            next if $dbh->selectrow_array( 'SELECT to_regclass(?)', undef, $name );
            $dbh->do($sql);
            print "created $name\n";
        }
        settle_helpdesk( $dbh, $conf );
        $dbh->commit;
        for my $name ( sort keys %FILES ) {
            my $since = started( pids($name) ) or next;
            for my $file ( map { glob } @{ $FILES{$name} } ) {
                print "$name runs since before $file\n" if ( stat $file )[9] > $since;
            }
        }
    },
    purge => sub {
        my $conf = configuration($CONFIGURATION);
        my $dbh  = database($conf);
        my $now  = int time;
        my $old  = $now - $conf->{timeout};
        my $idle = $conf->{timeoutActivity} ? $now - $conf->{timeoutActivity} : 0;
        my @n    = map { $_ + 0 } (
            $dbh->do( q{DELETE FROM sessions WHERE (a_session ->> '_utime')::bigint < ?}
                  . q{ OR (a_session ->> '_lastSeen')::bigint < ?}, undef, $old, $idle ),
            $dbh->do( q{DELETE FROM cas_tickets WHERE (a_session ->> 'expires')::bigint < ?}, undef, $now ),
            $dbh->do( 'DELETE FROM service_sessions o WHERE NOT EXISTS'
                  . ' (SELECT FROM sessions s WHERE s.id = o.session)' ),
            $dbh->do( q{DELETE FROM failures WHERE failed_at < now() - make_interval(secs => ?)},
                undef, $conf->{entLockSeconds} + $conf->{entSlowSeconds} ),
        );
        printf "Purged: %d sessions, %d tickets, %d service sessions, %d failures\n", @n;
    },
);

my $name = shift // '';
my $run = $command{$name} or die "usage: ent-sso.pl check FILE | settle | purge\n";
$run->(@ARGV);
