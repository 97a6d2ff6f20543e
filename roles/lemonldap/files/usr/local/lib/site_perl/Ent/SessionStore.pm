package Ent::SessionStore;

# PostgreSQL sessions (jsonb) over one lasting connection for each worker.
#
# The store that comes with Apache::Session opens and closes a connection for
# every single operation: with TLS and SCRAM that cost more than the rest of a
# sign-in. It also needs no lock: LemonLDAP::NG opens a session, merges the keys
# it was given and closes it again.
#
# A connection that died (database restarted, network gone) is replaced at the
# next operation, so that the service recovers by itself.

use strict;
use warnings;

use DBI;
use Apache::Session::Browseable::PgJSON;

our @ISA = qw(Apache::Session::Browseable::PgJSON);

# Apache::Session writes when its object is destroyed, where nobody hears of a
# failure: it is kept here.
our $last_error;

my ( $dbh, $owner, $dsn_key, $last_use ) = ( undef, 0, '', 0 );

# A connection idle for longer than this many seconds is tested before use.
use constant TRUST_SECONDS => 2;

sub populate {
    my $self = shift;
    $self->SUPER::populate(@_);
    $self->{object_store} = Ent::SessionStore::Store->new($self);
    return $self;
}

# The worker's connection; dies when the database does not answer.
sub handle {
    my ( $class, $args, $check ) = @_;
    my $key = join "\0", map { $args->{$_} // '' } qw(DataSource UserName);
    if (   $dbh
        && ( $owner != $$ || $dsn_key ne $key ) )
    {
        # Inherited through fork: forget it without closing the parent's socket.
        $dbh->{InactiveDestroy} = 1 if $owner != $$;
        undef $dbh;
    }
    if ( $dbh && ( $check || time - $last_use > TRUST_SECONDS ) ) {
        undef $dbh unless eval { $dbh->ping };
    }
    unless ($dbh) {
        $dbh = DBI->connect(
            @$args{qw(DataSource UserName Password)},
            {
                RaiseError          => 1,
                PrintError          => 0,
                AutoCommit          => 1,
                AutoInactiveDestroy => 1,
                pg_enable_utf8      => 1,
            }
        );
        ( $owner, $dsn_key ) = ( $$, $key );
    }
    $last_use = time;
    return $dbh;
}

# Runs $code->($dbh), once more over a new connection if the old one had died.
sub with_handle {
    my ( $class, $args, $code ) = @_;
    my $want = wantarray;
    my $old  = $class->handle($args);
    my @res  = eval { $code->($old) };
    return $want ? @res : $res[0] unless $@;
    my $error = $@;
    my $new   = $class->handle( $args, 1 );    # dies if the database is away
    die $error if $new == $old;
    @res = $code->($new);
    return $want ? @res : $res[0];
}

# Used by the class methods of PgJSON (search, purge).
sub _classDbh {
    my ( $class, $args ) = @_;
    return $class->handle( $args, 1 );
}

package Ent::SessionStore::Store;

use strict;
use warnings;

sub new {
    my ( $class, $session ) = @_;
    return bless { args => $session->{args} }, $class;
}

sub _do {
    my ( $self, $sql, @bind ) = @_;
    my $table = $self->{args}->{TableName};
    $sql =~ s/\bTABLE\b/$table/;
    my $done = eval { Ent::SessionStore->with_handle(
        $self->{args},
        sub {
            my $sth = $_[0]->prepare_cached($sql);
            my $n   = $sth->execute(@bind);
            my $row = $sth->{NUM_OF_FIELDS} ? $sth->fetchrow_arrayref : undef;
            my $res = $sth->{NUM_OF_FIELDS} ? $row && [@$row] : $n;
            $sth->finish;
            return $res;
        }
    ) };
    die $Ent::SessionStore::last_error = $@ if $@;
    return $done;
}

# Apache::Session stores a new session as soon as it has an identifier and again
# when it has been filled in: the first time is waited out.
sub insert {
    my ( $self, $session ) = @_;
    return $self->{pending} = 1 if keys %{ $session->{data} } == 1;
    $self->_insert($session);
}

sub _insert {
    my ( $self, $session ) = @_;
    $self->{pending} = 0;
    $self->_do( 'INSERT INTO TABLE (id, a_session) VALUES (?, ?)',
        $session->{data}->{_session_id},
        $session->{serialized} );
}

sub update {
    my ( $self, $session ) = @_;
    return $self->_insert($session) if $self->{pending};
    $self->_do(
        'UPDATE TABLE SET a_session = ? WHERE id = ?',
        $session->{serialized},
        $session->{data}->{_session_id}
    );
}

sub materialize {
    my ( $self, $session ) = @_;
    my $row = $self->_do( 'SELECT a_session FROM TABLE WHERE id = ?',
        $session->{data}->{_session_id} )
      or die "Object does not exist in the data store\n";
    $session->{serialized} = $row->[0];
}

sub remove {
    my ( $self, $session ) = @_;
    $self->_do( 'DELETE FROM TABLE WHERE id = ?',
        $session->{data}->{_session_id} );
}

1;
