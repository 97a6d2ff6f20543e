package Ent::Connection;

# Is the LDAP connection still there? The product asks the server before each
# use, three times in a sign-in. The socket knows: a server that went away
# leaves it readable.

use strict;
use warnings;
use IO::Select;

# After a longer silence (a firewall may have forgotten the connection) the
# server is asked all the same.
use constant TRUST_SECONDS => 20;

sub alive {
    my ($ldap) = @_;
    return 0 unless $ldap && $ldap->{ent_used} && time - $ldap->{ent_used} <= TRUST_SECONDS;
    my $socket = $ldap->socket or return 0;
    return 0 if $socket->can('pending') && $socket->pending;
    return 0 if IO::Select->new($socket)->can_read(0);
    $ldap->{ent_used} = time;
    return 1;
}

# Body of validateLdap in the classes that keep a connection.
sub validate {
    my ($self) = @_;
    return if alive( $self->{ldap} );
    Lemonldap::NG::Portal::Lib::LDAP::validateLdap($self);
    $self->{ldap}->{ent_used} = time if $self->{ldap};
}

1;
