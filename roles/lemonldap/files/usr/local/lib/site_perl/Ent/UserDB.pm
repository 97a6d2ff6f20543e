package Ent::UserDB;

# People of the directory: the product's LDAP user database with some changes.
#
# * Its connection stays bound as the service. The product binds again before
#   every search, and each bind makes slapd verify an Argon2 password.
# * Values are text, not bytes: what is stored and released is then right.
# * The state of an account can be asked for by login, whatever it is.
# * The journal does not name logins that nobody has: people type passwords there.

use strict;
use warnings;
use Mouse;
use Ent::Connection;
use Net::LDAP::Util qw(escape_filter_value);
use Lemonldap::NG::Portal::Main::Constants qw(
  PE_OK
  PE_BADCREDENTIALS
  PE_LDAPCONNECTFAILED
  PE_LDAPERROR
);

extends 'Lemonldap::NG::Portal::UserDB::LDAP';

sub name { 'LDAP' }

sub validateLdap { Ent::Connection::validate(@_) }

sub getUser {
    my ( $self, $req ) = @_;
    my $res = $self->_find($req);
    $self->p->_authentication->setSecurity($req) if $res != PE_OK;
    return $res;
}

sub _find {
    my ( $self, $req ) = @_;
    $self->validateLdap;
    return PE_LDAPCONNECTFAILED unless $self->ldap;
    return PE_LDAPERROR unless $self->bind;
    my $found = $self->ldap->search(
        base   => $self->conf->{ldapBase},
        scope  => 'sub',
        filter => $self->filter->($req),
        attrs  => $self->attrs,
    );
    if ( $found->code ) {
        $self->logger->error( 'LDAP search: ' . $found->error );
        return PE_LDAPERROR;
    }
    return PE_BADCREDENTIALS unless $found->count == 1;
    $req->data->{ldapentry} = $found->entry(0);
    $req->data->{dn} = $req->data->{ldapentry}->dn;
    return PE_OK;
}

sub setSessionInfo {
    my ( $self, $req ) = @_;
    my $res = $self->SUPER::setSessionInfo($req);
    for my $name ( keys %{ $self->conf->{ldapExportedVars} } ) {
        utf8::decode( $req->sessionInfo->{$name} ) if defined $req->sessionInfo->{$name};
    }
    return $res;
}

sub bind {
    my ( $self, @args ) = @_;
    return $self->SUPER::bind(@args) if @args;
    $self->validateLdap;
    my $ldap = $self->ldap or return undef;
    return 1 if $ldap->{ent_bound};
    my $msg = $ldap->bind;
    if ( $msg->code ) {
        $self->logger->error( 'LDAP service bind: ' . $msg->error );
        $ldap->{ent_bound} = 0;
        return undef;
    }
    return $ldap->{ent_bound} = 1;
}

# Spends what verifying a password costs: used where a refusal must not be
# quicker than the refusal of a wrong password.
sub spend_a_bind {
    my ($self) = @_;
    my $ldap = $self->ldap or return;
    $ldap->{ent_bound} = 0;
    return $self->bind;
}

# [dn, state values] of the account with this login; undef when there is none.
# Dies when the directory does not answer.
sub account {
    my ( $self, $uid ) = @_;
    $self->bind or die "directory unavailable\n";
    my $found = $self->ldap->search(
        base   => $self->conf->{ldapBase},
        scope  => 'sub',
        filter => '(uid=' . escape_filter_value($uid) . ')',
        attrs  => ['supannRessourceEtat'],
    );
    die 'directory: ' . $found->error . "\n" if $found->code;
    return unless $found->count == 1;
    my $entry = $found->entry(0);
    return [ $entry->dn, $entry->get_value('supannRessourceEtat') ];
}

# The entry of the account while it may sign in, with the time of its password (if that
# may be read), else undef. Dies when the directory does not answer.
sub may_sign_in {
    my ( $self, $uid ) = @_;
    $self->bind or die "directory unavailable\n";
    my $found = $self->ldap->search(
        base   => $self->conf->{ldapBase},
        scope  => 'sub',
        filter => '(&(uid='
          . escape_filter_value($uid) . ')'
          . $self->conf->{entSigninFilter} . ')',
        attrs => ['pwdChangedTime'],
    );
    die 'directory: ' . $found->error . "\n" if $found->code;
    return $found->count == 1 ? $found->entry(0) : undef;
}

1;
