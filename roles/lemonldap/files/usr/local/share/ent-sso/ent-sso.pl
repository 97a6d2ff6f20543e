#!/usr/bin/perl
# perl ent-sso.pl check FILE   does the portal start with this configuration?
# perl ent-sso.pl schema       create what is missing in the database; says "changed"
# perl ent-sso.pl purge        delete what expired (hourly timer)

use strict;
use warnings;
use JSON ();

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
    schema => sub {
        my $dbh = database( configuration($CONFIGURATION) );
        local $dbh->{AutoCommit} = 0;
        # Two nodes converged together must not create the same table.
        $dbh->do('SELECT pg_advisory_xact_lock(20081)');
        my $changed;
        for (@SCHEMA) {
            my ( $name, $sql ) = @$_;
            next if $dbh->selectrow_array( 'SELECT to_regclass(?)', undef, $name );
            $dbh->do($sql);
            $changed = 1;
        }
        $dbh->commit;
        print $changed ? "changed\n" : "unchanged\n";
    },
    purge => sub {
        my $conf = configuration($CONFIGURATION);
        my $dbh  = database($conf);
        my $old  = time - $conf->{timeout};
        my $idle = $conf->{timeoutActivity} ? time - $conf->{timeoutActivity} : 0;
        my @n    = map { $_ + 0 } (
            $dbh->do( q{DELETE FROM sessions WHERE (a_session ->> '_utime')::bigint < ?}
                  . q{ OR (a_session ->> '_lastSeen')::bigint < ?}, undef, $old, $idle ),
            $dbh->do( q{DELETE FROM cas_tickets WHERE (a_session ->> 'expires')::bigint < ?}, undef, time ),
            $dbh->do( 'DELETE FROM service_sessions o WHERE NOT EXISTS'
                  . ' (SELECT FROM sessions s WHERE s.id = o.session)' ),
            $dbh->do( q{DELETE FROM failures WHERE failed_at < now() - make_interval(secs => ?)},
                undef, 2 * $conf->{entLockSeconds} ),
        );
        printf "Purged: %d sessions, %d tickets, %d service sessions, %d failures\n", @n;
    },
);

my $name = shift // '';
my $run = $command{$name} or die "usage: ent-sso.pl check FILE | schema | purge\n";
$run->(@ARGV);
