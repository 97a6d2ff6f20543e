package Ent::Plugin;

# What a refusal looks like: HTTP status and, for the templates, one name for
# each message.

use strict;
use warnings;
use Mouse;
use Ent::SessionStore;
use Lemonldap::NG::Portal::Main::Constants qw(
  PE_OK
  PE_BADCREDENTIALS
  PE_APACHESESSIONERROR
  PE_FIRSTACCESS
  PE_FORMEMPTY
  PE_LDAPCONNECTFAILED
  PE_LDAPERROR
  PE_LOGOUT_OK
  PE_PP_CHANGE_AFTER_RESET
  PE_PP_PASSWORD_EXPIRED
  PE_TOKENEXPIRED
  PE_UNAUTHORIZEDPARTNER
  PE_UNKNOWNPARTNER
  PE_WAIT
);

extends 'Lemonldap::NG::Portal::Main::Plugin';

use constant aroundSub =>
  { getUser => 'getUser', authenticate => 'authenticate', store => 'store' };
use constant hook      => { sendHtml => 'dress' };

# portal code => [message, HTTP status, whether the form is shown again].
# Other errors (codes above 0) are a fault of ours.
my %PAGE = (
    PE_OK()                    => [ '',                   200, 0 ],
    PE_FIRSTACCESS()           => [ '',                   200, 1 ],
    PE_FORMEMPTY()             => [ 'empty',              400, 1 ],
    PE_BADCREDENTIALS()        => [ 'wrong',              401, 1 ],
    PE_WAIT()                  => [ 'locked',             429, 0 ],
    PE_PP_PASSWORD_EXPIRED()   => [ 'password_expired',   403, 0 ],
    PE_PP_CHANGE_AFTER_RESET() => [ 'password_expired',   403, 0 ],
    PE_TOKENEXPIRED()          => [ 'form_expired',       403, 1 ],
    PE_UNKNOWNPARTNER()        => [ 'service_unknown',    403, 0 ],
    PE_UNAUTHORIZEDPARTNER()   => [ 'service_refused',    403, 0 ],
    PE_LDAPCONNECTFAILED()     => [ 'directory_down',     503, 1 ],
    PE_LDAPERROR()             => [ 'directory_down',     503, 1 ],
    PE_APACHESESSIONERROR()    => [ 'session_store_down', 503, 1 ],
    PE_LOGOUT_OK()             => [ 'signed_out',         200, 0 ],
);

sub init { 1 }

sub getUser {
    my ( $self, $sub, $req, @args ) = @_;
    my $res = $sub->( $req, @args );
    my $auth = $self->p->_authentication;
    return $auth->refuse_inactive($req) if $res == PE_BADCREDENTIALS;
    $auth->not_counted($req) if $res != PE_OK;
    return $res;
}

# The product would go on to write a login history after a failure.
sub authenticate {
    my ( $self, $sub, $req ) = @_;
    return $req->authResult( $self->p->_authentication->authenticate($req) );
}

# Whoever gets a cookie has a session in the database.
sub store {
    my ( $self, $sub, $req, @args ) = @_;
    undef $Ent::SessionStore::last_error;
    my $res = $sub->( $req, @args );
    return $res unless $Ent::SessionStore::last_error;
    $self->logger->error("Session not stored: $Ent::SessionStore::last_error");
    return PE_APACHESESSIONERROR;
}

# The form has a template of its own, because templates are parsed each time;
# all other pages share one. Called by the product before it renders any.
sub dress {
    my ( $self, $req, $template, $args ) = @_;
    my $code = $req->error // 0;
    my ( $name, $status, $form ) = @{ $PAGE{$code} || [ 'error', 500, 0 ] };
    if ( my $own = $req->data->{ent_message} ) {
        ( $name, $status ) = ( $own, 403 );
    }
    $$template = $name || !$form ? 'message' : 'form';
    $args->{code} = $status;
    $args->{headers} =
      [ $req->spliceHdrs, 'Referrer-Policy' => 'same-origin',
        ( $status == 429 || $status == 503 ? ( 'Retry-After' => 60 ) : () ) ];
    my $params = $args->{params};
    $params->{"MSG_$name"}     = 1 if $name;
    $params->{ENT_FORM}        = $form;
    $params->{ENT_SIGNED_IN}   = $code == PE_OK;
    if ( defined( my $service = $req->data->{ent_service} ) ) {

        # Templates are bytes, the configuration is text.
        utf8::encode($service);
        $params->{ENT_SERVICE} = $service;
    }
    $params->{TOKEN}           = $req->token if $form;
    return PE_OK;
}

1;
