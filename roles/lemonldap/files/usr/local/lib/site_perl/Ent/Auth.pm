package Ent::Auth;

# The sign-in form and the verification of the password.
#
# What the product does not do, and this does:
# * a form token bound to the browser (the product's can be fetched by anybody
#   and used from another site) that needs no storage;
# * a limit of failures for each login, the same whether the login exists or
#   not (the product counts only for people it found);
# * the state of an account is told only where that gives nothing away: « not
#   activated » is public in the annuaire, everything else is « wrong ».

use strict;
use warnings;
use Mouse;
use Crypt::URandom ();
use Digest::SHA qw(hmac_sha256_hex sha256_hex);
use Ent::Connection;
use Ent::SessionStore;
use Lemonldap::NG::Portal::Main::Constants qw(
  PE_OK
  PE_BADCREDENTIALS
  PE_APACHESESSIONERROR
  PE_FORMEMPTY
  PE_LDAPCONNECTFAILED
  PE_LDAPERROR
  PE_MALFORMEDUSER
  PE_PP_ACCOUNT_LOCKED
  PE_TOKENEXPIRED
  PE_WAIT
);

extends 'Lemonldap::NG::Portal::Auth::LDAP';

# __Host-: the browser accepts it from this very host only, over TLS.
use constant FORM_COOKIE => '__Host-cas_form';

sub name { 'LDAP' }

sub validateLdap { Ent::Connection::validate(@_) }

# THE FORM

sub _nonce {
    my ( $self, $req ) = @_;
    my $nonce = $req->data->{ent_nonce} // $req->cookies->{ FORM_COOKIE() } // '';
    return $nonce =~ /\A[0-9a-f]{32}\z/ ? $nonce : undef;
}

sub _sign {
    my ( $self, $nonce, $time ) = @_;
    return hmac_sha256_hex( "form:$nonce:$time", $self->conf->{key} );
}

# Called by the product wherever it is about to show the form.
sub setSecurity {
    my ( $self, $req ) = @_;
    my $nonce = $self->_nonce($req);
    unless ($nonce) {
        $nonce = unpack 'H*', Crypt::URandom::urandom(16);
        $req->data->{ent_nonce} = $nonce;
        $req->addCookie(
            $self->p->assemble_cookie(
                name     => FORM_COOKIE,
                value    => $nonce,
                path     => '/',
                HttpOnly => 1,
                SameSite => 'Lax',
                secure   => 1,
            )
        );
    }
    my $now = time;
    $req->token( "$now." . $self->_sign( $nonce, $now ) );
}

sub _token_ok {
    my ( $self, $req ) = @_;
    my ( $time, $mac ) =
      ( $req->param('token') // '' ) =~ /\A(\d{1,12})\.([0-9a-f]{64})\z/
      or return 0;
    my $nonce = $self->_nonce($req) or return 0;
    my $age   = time - $time;
    return 0 if $age < 0 || $age > $self->conf->{formTimeout};

    # Compared through a hash, so that the time taken tells nothing.
    return sha256_hex($mac) eq sha256_hex( $self->_sign( $nonce, $time ) );
}

sub extractFormInfo {
    my ( $self, $req ) = @_;
    if ( uc $req->method eq 'POST' && defined $req->param('user') ) {
        unless ( $self->_token_ok($req) ) {
            $self->userLogger->warn(
                'Sign-in form without a valid token (' . $req->address . ')' );
            $self->setSecurity($req);
            return PE_TOKENEXPIRED;
        }

        # Without this field the product would go on to change a password.
        unless ( defined $req->param('password') ) {
            $self->setSecurity($req);
            return PE_FORMEMPTY;
        }

        # Spaces come with copy and paste, capitals with tablets.
        ( my $user = lc $req->param('user') ) =~ s/\A\s+|\s+\z//g;
        $req->set_param( user => $user );
    }
    elsif ( my $error = $self->_database_down($req) ) {
        return $error;
    }
    my $res = $self->SUPER::extractFormInfo($req);

    # A login that cannot exist is a wrong one, and is counted as such.
    if ( $res == PE_MALFORMEDUSER ) {
        $req->{user} = sha256_hex( $req->param('user') );
        $req->data->{password} //= '';
        return $self->_locked($req) || $self->_failed($req);
    }
    return $res if $res != PE_OK;
    return $self->_locked($req) || PE_OK;
}

# A browser comes with a cookie whose session was not found: because it ended,
# or because the database is away? The product would delete the cookie.
sub _database_down {
    my ( $self, $req ) = @_;
    return unless $req->cookies->{ $self->conf->{cookieName} };
    return if eval {
        Ent::SessionStore->handle( $self->conf->{globalStorageOptions}, 1 );
    };
    $self->logger->error("Session database unavailable: $@");
    return PE_APACHESESSIONERROR;
}

# FAILURES OF ONE LOGIN

sub _sql {
    my ( $self, $sql, @bind ) = @_;
    return Ent::SessionStore->with_handle( $self->conf->{globalStorageOptions},
        sub { $_[0]->selectrow_array( $sql, undef, @bind ) } );
}

sub _login_key {
    my ( $self, $req ) = @_;
    return hmac_sha256_hex( "login:$req->{user}", $self->conf->{entFailuresKey} );
}

# How many failures of late, and for how many seconds the login is still closed.
# Two limits: one against guessing, and one over a longer time that keeps guesses
# made here from locking the person in the directory, and so out of their mail.
# $more: failures allowed beyond (an attempt that counted itself beforehand).
sub _closed_for {
    my ( $self, $key, $more ) = @_;
    my ( $few, $short, $many, $long ) =
      @{ $self->conf }{qw(entMaxFailures entLockSeconds entSlowFailures entSlowSeconds)};
    my ( $recent, $all, $left, $slow_left ) = $self->_sql(
        'SELECT count(*) FILTER (WHERE age < ?), count(*), ceil(? - min(age)),'
          . ' ceil(? - (array_agg(age ORDER BY age))[?])'
          . ' FROM (SELECT extract(epoch FROM now() - failed_at) AS age FROM failures WHERE login = ?) f'
          . ' WHERE age < ?',
        $short, $short, $long, $many, $key, $short > $long ? $short : $long
    );
    my @left = ( 0, $recent >= $few + $more ? $left : (), $all >= $many + $more ? $slow_left : () );
    return ( $all, ( sort { $b <=> $a } @left )[0] );
}

# While a login is locked nothing is verified nor counted, so that the lock
# lifts by itself. After a first failure an attempt counts before it is verified:
# attempts at the same moment are then no more than one after the other.
sub _locked {
    my ( $self, $req ) = @_;
    my $key = $self->_login_key($req);
    my ( $failures, $left ) = eval {
        my ( $n, $closed ) = $self->_closed_for( $key, 0 );
        if ( $n && !$closed ) {
            ( $req->data->{ent_counted} ) =
              $self->_sql( 'INSERT INTO failures (login) VALUES (?) RETURNING failed_at', $key );
            ( undef, $closed ) = $self->_closed_for( $key, 1 );
            $self->not_counted($req) if $closed;
        }
        ( $n, $closed );
    };
    if ($@) {
        $self->logger->error("Session database unavailable: $@");
        $self->setSecurity($req);
        return PE_APACHESESSIONERROR;
    }
    $req->data->{ent_failures} = $failures;
    return unless $left;
    $self->userLogger->warn( "Login locked after $failures failures ("
          . $req->address
          . ')' );
    $req->lockTime($left);
    return PE_WAIT;
}

# Takes back what _locked counted: nothing was verified.
sub not_counted {
    my ( $self, $req ) = @_;
    my $at = delete $req->data->{ent_counted} or return;
    eval {
        $self->_sql( 'DELETE FROM failures WHERE login = ? AND failed_at = ? RETURNING 1',
            $self->_login_key($req), $at );
    };
    $self->logger->error("Attempt not taken back: $@") if $@;
}

sub _failed {
    my ( $self, $req ) = @_;
    unless ( $req->data->{ent_counted} ) {
        eval {
            $self->_sql( 'INSERT INTO failures (login) VALUES (?) RETURNING 1',
                $self->_login_key($req) );
        };
        $self->logger->error("Failure not counted: $@") if $@;
    }
    $self->setSecurity($req);
    return PE_BADCREDENTIALS;
}

# THE PASSWORD

# Called when the product's search, which knows only accounts that may sign in,
# found nobody. The directory lets no closed account verify a password, so its
# owner cannot be told apart from others: it is a wrong login for all.
sub refuse_inactive {
    my ( $self, $req ) = @_;
    my $users   = $self->p->_userDB;
    my $account = eval { $users->account( $req->user ) };
    if ($@) {
        $self->logger->error($@);
        $self->not_counted($req);
        $self->setSecurity($req);
        return PE_LDAPCONNECTFAILED;
    }
    $users->spend_a_bind;
    my ( undef, @states ) = @{ $account || [] };
    my ($state) = map { /^\{COMPTE\}(.*)/i ? $1 : () } @states;
    if ( defined $state ) {
        $self->userLogger->warn(
            'Sign-in refused to ' . $req->user . ": account in state $state (" . $req->address . ')' );
        $req->data->{ent_message} = 'not_activated'
          if $state eq $self->conf->{entStateNotActivated};
    }
    else {
        $self->userLogger->warn( 'Sign-in with an unknown login (' . $req->address . ')' );
    }
    return $self->_failed($req);
}

sub authenticate {
    my ( $self, $req ) = @_;
    my $res = $self->SUPER::authenticate($req);
    if ( $res == PE_OK ) {
        eval {
            $self->_sql( 'DELETE FROM failures WHERE login = ? RETURNING 1',
                $self->_login_key($req) );
        } if $req->data->{ent_failures};
        return PE_OK;
    }
    if ( $res == PE_PP_ACCOUNT_LOCKED ) {
        $self->not_counted($req);
        $req->lockTime(0);
        return PE_WAIT;
    }
    return $self->_failed($req) if $res == PE_BADCREDENTIALS;
    $self->not_counted($req);
    return $res;
}

1;
