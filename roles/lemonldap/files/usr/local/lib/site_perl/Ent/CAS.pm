package Ent::CAS;

# The CAS protocol (versions 1, 2 and 3) over the product's sign-in and sessions.
#
# Written anew rather than configured, because the product's issuer (2.21.2)
# * accepts any CAS ticket as a proxy-granting ticket, so that every declared
#   service could enter the others as the user;
# * reads, then deletes a ticket: two simultaneous validations both succeed;
# * puts attribute values into XML without escaping them;
# * leaves single logout to images loaded by the browser;
# * compares hosts, not whole prefixes, at logout;
# * keeps the request of a visitor in a cookie: with two tabs open the second
#   sign-in ends in the service of the first one, and after two minutes it fails.
#
# Tickets are rows of the table cas_tickets; the services that a session opened
# are rows of service_sessions. Identifiers of sessions and tickets are stored
# hashed: who reads the database cannot use them.

use strict;
use warnings;
use Mouse;
use Digest::SHA qw(sha256_hex);
use JSON qw(from_json to_json);
use URI;
use Ent::SessionStore;
use Lemonldap::NG::Common::FormEncode;
use Lemonldap::NG::Common::Session ();
use Lemonldap::NG::Portal::Main::Constants qw(
  PE_OK
  PE_APACHESESSIONERROR
  PE_LOGOUT_OK
  PE_UNAUTHORIZEDPARTNER
  PE_UNKNOWNPARTNER
);

extends 'Lemonldap::NG::Portal::Main::Plugin', 'Lemonldap::NG::Portal::Lib::CAS';

use constant beforeLogout => 'logout';

# App name => list of canonical prefixes [scheme, host, port, path].
has prefixes => ( is => 'rw', default => sub { {} } );

sub init {
    my ($self) = @_;
    return 0 unless $self->loadApp;
    my $declared = $self->conf->{casAppMetaDataOptions} || {};
    for my $app ( sort keys %$declared ) {
        unless ( $self->casAppList->{$app} ) {
            $self->error("CAS service $app: its rule does not compile");
            return 0;
        }
        $self->prefixes->{$app} = [
            map { [ _parts($_) ] } split ' ',
            $declared->{$app}->{casAppMetaDataOptionsService}
        ];
        unless ( grep { @$_ } @{ $self->prefixes->{$app} } ) {
            $self->error("CAS service $app: no usable URL");
            return 0;
        }
    }
    my %validators = (
        validate        => 'validate',
        serviceValidate => 'serviceValidate',
        proxyValidate   => 'proxyValidate',
        proxy           => 'proxy',
        p3              => {
            serviceValidate => 'serviceValidate',
            proxyValidate   => 'proxyValidate',
        },
    );

    # The same for requests that carry a session cookie, which the product
    # redirects instead.
    for my $add (qw(addUnauthRoute addAuthRoute)) {
        $self->$add( cas => { %validators, logout => 'logoutPage' }, ['GET'] );
        $self->$add( cas => { logout => 'logoutPage' }, ['POST'] );
    }
    $self->addUnauthRoute( cas => { login => 'loginPage' },  [ 'GET', 'POST' ] );
    $self->addAuthRoute( cas => { login => 'enterPage' }, [ 'GET', 'POST' ] );
    return 1;
}

# SERVICES

# (scheme, host, port, path) of a URL that cannot be read in two ways, or ().
sub _parts {
    my ($url) = @_;
    return unless defined $url && length $url <= 2000;
    return if $url =~ m{[^!-~]|["'<>\\^`{|}]};
    return unless $url =~ m{\Ahttps?://[^/?#\@]+(?:[/?]|\z)};
    my $uri = URI->new($url)->canonical;
    return if defined $uri->userinfo || defined $uri->fragment || !$uri->host;
    my $path = $uri->path || '/';
    return if $path =~ m{%2f|%5c|%00}i;
    return if $path =~ m{(?:\A|/)(?:\.|%2e){1,2}(?:[/;]|\z)}i;
    return ( $uri->scheme, $uri->host, $uri->port, $path );
}

# Name of the declared service to which a URL belongs (longest prefix), or undef.
sub getCasApp {
    my ( $self, $url ) = @_;
    my ( $scheme, $host, $port, $path ) = _parts($url) or return undef;
    my ( $app, $length ) = ( undef, -1 );
    for my $name ( keys %{ $self->prefixes } ) {
        for my $p ( @{ $self->prefixes->{$name} } ) {
            next unless @$p && $p->[0] eq $scheme && $p->[1] eq $host && $p->[2] == $port;
            my $prefix = $p->[3];
            next unless index( $path, $prefix ) == 0;

            # /portal must not open /portal-of-somebody-else.
            next
              unless $prefix =~ m{/\z}
              || length $path == length $prefix
              || substr( $path, length $prefix, 1 ) eq '/';
            ( $app, $length ) = ( $name, length $prefix )
              if length $prefix > $length;
        }
    }
    return $app;
}

sub _option {
    my ( $self, $app, $name ) = @_;
    return $self->casAppList->{$app}->{"casAppMetaDataOptions$name"};
}

sub _may_enter {
    my ( $self, $req, $app, $session ) = @_;
    my $rule = $self->spRules->{$app} or return 1;
    return $rule->( $req, $session );
}

# SIGNING IN

sub loginPage {
    my ( $self, $req ) = @_;
    my $service = $req->param('service');
    my $app     = $self->getCasApp($service);
    if ( defined $service and $service ne '' ) {
        return $self->_refuse_service( $req, $service ) unless $app;
        # AuthCAS, which Sympa uses, says 1.
        if (    ( $req->param('gateway') // '' ) =~ /\A(?:true|1)\z/i
            and lc( $req->param('renew') // '' ) ne 'true' )
        {
            return $self->_redirect_to( $req, $service );
        }
    }
    $req->mustRedirect(1);
    return $self->p->do(
        $req,
        [
            @{ $self->p->beforeAuth },
            $self->p->authProcess,
            sub { $self->_same_person(@_) },
            @{ $self->p->betweenAuthAndData },
            $self->p->sessionData,
            @{ $self->p->afterData },
            $self->p->validSession,
            @{ $self->p->endAuth },
            sub { $self->_enter( $_[0], $app, $service, 1 ) },
        ]
    );
}

# The browser already has a session.
sub enterPage {
    my ( $self, $req ) = @_;
    my $service = $req->param('service');
    my $app     = $self->getCasApp($service);
    return $self->_refuse_service( $req, $service )
      if defined $service and $service ne '' and not $app;

    # A form filled in meanwhile counts too: whoever sends it need not be the one
    # who signed in in another tab.
    my $session = $req->userData;
    if ( lc( $req->param('renew') // '' ) eq 'true'
        or uc $req->method eq 'POST' && defined $req->param('user') )
    {
        $req->data->{ent_previous} = {%$session};
        $req->userData( {} );
        return $self->loginPage($req);
    }

    if ( $self->_closed($session) ) {
        $self->_end_session( $req, $session );
        $req->userData( {} );
        return $self->loginPage($req);
    }
    return $self->p->do(
        $req,
        [
            'importHandlerData',
            @{ $self->p->forAuthUser },
            sub { $self->_enter( $_[0], $app, $service, 0 ) },
        ]
    );
}

# An account closed since it signed in opens nothing more, nor does a session that was
# opened with a password which has been changed since. When the directory does not answer,
# the session is still worth what it was.
sub _closed {
    my ( $self, $session ) = @_;
    my $account = eval { $self->p->_userDB->may_sign_in( $session->{uid} ) };
    if ($@) {
        $self->logger->error("State of $session->{uid} not verified: $@");
        return 0;
    }
    unless ($account) {
        $self->userLogger->warn("Session of $session->{uid} is over: account no longer active");
        return 1;
    }
    # compared, not ordered: no clock is asked
    my $changed = $account->get_value('pwdChangedTime') // '';
    return 0 if $changed eq ( $session->{pwdChangedTime} // '' );
    $self->userLogger->notice("Session of $session->{uid} is over: password changed since");
    return 1;
}

# After a renewed sign-in the session goes on, unless somebody else signed in.
sub _same_person {
    my ( $self, $req ) = @_;
    my $previous = $req->data->{ent_previous} or return PE_OK;
    if ( $previous->{uid} eq $req->data->{ldapentry}->get_value('uid') ) {
        $req->id( $previous->{_session_id} );
    }
    else {
        $self->_end_session( $req, $previous );
    }
    return PE_OK;
}

sub _refuse_service {
    my ( $self, $req, $service ) = @_;
    $self->userLogger->warn( 'CAS service not declared: '
          . substr( $service =~ s/[^!-~]/?/gr, 0, 200 )
          . ' ('
          . $req->address
          . ')' );
    $req->noLoginDisplay(1);
    return $self->p->do( $req, [ sub { PE_UNKNOWNPARTNER } ] );
}

sub _redirect_to {
    my ( $self, $req, $url, $ticket ) = @_;
    $url .= ( $url =~ /\?/ ? '&' : '?' ) . build_urlencoded( ticket => $ticket )
      if $ticket;
    return [ 302, [ Location => $url, 'Cache-Control' => 'no-store', $req->spliceHdrs ], [] ];
}

# Last step of a sign-in: a ticket for the service, or the page « signed in ».
sub _enter {
    my ( $self, $req, $app, $service, $fresh ) = @_;
    unless ($app) {
        $req->urldc( $self->p->buildUrl( $req->portal, 'cas', 'login' ) ) if $fresh;
        return PE_OK;
    }
    my $session = $req->sessionInfo;
    unless ( $self->_may_enter( $req, $app, $session ) ) {
        $self->userLogger->warn("$session->{uid} may not enter $app");
        $req->data->{ent_service} = $self->_option( $app, 'DisplayName' ) || $app;
        $req->noLoginDisplay(1);
        return PE_UNAUTHORIZEDPARTNER;
    }
    my $ticket = $self->_new_ticket(
        'ST',
        service => $service,
        renew   => $fresh,
        app     => $app,
        session => sha256_hex( $session->{_session_id} || $req->id ),
    ) or return PE_APACHESESSIONERROR;
    $self->auditLog(
        $req,
        code    => 'ISSUER_CAS_LOGIN_SUCCESS',
        app     => $app,
        user    => $session->{uid},
        message => "User $session->{uid} enters $app",
    );
    $req->response( $self->_redirect_to( $req, $service, $ticket ) );
    return Lemonldap::NG::Portal::Main::Constants::PE_SENDRESPONSE();
}

# TICKETS

# Storage is written here in SQL, one statement a step: no session object of the
# product fits what is created once, read once and gone.
sub _sql {
    my ( $self, $sql, @bind ) = @_;
    return Ent::SessionStore->with_handle( $self->conf->{globalStorageOptions},
        sub { @{ $_[0]->selectall_arrayref( $sql, undef, @bind ) } } );
}

# A new ticket, or undef when it cannot be stored. "session" in %info is the
# stored (hashed) identifier of the single sign-on session.
sub _new_ticket {
    my ( $self, $kind, %info ) = @_;
    my $id = Lemonldap::NG::Common::Session::randomId();
    $info{kind} = $kind;
    $info{expires} = time
      + ( $kind eq 'PGT' ? $self->conf->{timeout} : $self->conf->{casTicketExpiration} );
    eval {
        $self->_sql( 'INSERT INTO cas_tickets (id, a_session) VALUES (?, ?) RETURNING 1',
            sha256_hex($id), to_json( \%info ) );
    };
    return "$kind-$id" unless $@;
    $self->logger->error("Session database unavailable: $@");
    return undef;
}

# Data of a ticket and of the session behind it (undef if that ended), or ()
# without such a ticket. Service and proxy tickets are taken: of two requests
# with the same one, only one gets it. Dies without the database.
sub _ticket {
    my ( $self, $ticket, @kinds ) = @_;
    my ( $kind, $id ) = ( $ticket // '' ) =~ /\A(ST|PT|PGT)-([0-9a-f]{64})\z/ or return;
    return unless grep { $_ eq $kind } @kinds;
    my $find =
      $kind eq 'PGT'
      ? 'SELECT a_session FROM cas_tickets WHERE id = ?'
      : 'DELETE FROM cas_tickets WHERE id = ? RETURNING a_session';
    my ($row) = $self->_sql(
        "WITH t AS ($find) SELECT t.a_session, s.a_session FROM t"
          . q{ LEFT JOIN sessions s ON s.id = t.a_session ->> 'session'},
        sha256_hex($id)
    );
    return unless $row;
    my ( $data, $session ) = map { $_ && from_json($_) } @$row;
    return unless $data->{kind} eq $kind && $data->{expires} > time;
    undef $session if $session && $self->_is_over($session);
    return ( $data, $session );
}

sub _is_over {
    my ( $self, $session ) = @_;
    return 1 if time - $session->{_utime} > $self->conf->{timeout};
    my $idle = $self->conf->{timeoutActivity} or return 0;
    return time - ( $session->{_lastSeen} || time ) > $idle;
}

# VALIDATION

sub validate {
    my ( $self, $req ) = @_;
    my $res = $self->_validation( $req, 'ST' );
    return $self->_text( $res->{user} ? "yes\n$res->{user}\n" : "no\n\n" );
}

sub serviceValidate {
    my ( $self, $req ) = @_;
    return $self->_answer( $req, $self->_validation( $req, 'ST' ) );
}

sub proxyValidate {
    my ( $self, $req ) = @_;
    return $self->_answer( $req,
        $self->_validation( $req, 'ST', 'PT' ) );
}

# { user, attributes, pgtiou, proxies } or { code, text }.
sub _validation {
    my ( $self, $req, @kinds ) = @_;
    my ( $service, $ticket ) = map { scalar $req->param($_) } qw(service ticket);
    return { code => 'INVALID_REQUEST', text => 'service and ticket are required' }
      unless $service and $ticket;

    my ( $data, $session ) = eval { $self->_ticket( $ticket, @kinds ) };
    if ($@) {
        $self->logger->error("Session database unavailable: $@");
        return { code => 'INTERNAL_ERROR', text => 'session database unavailable' };
    }
    return { code => 'INVALID_TICKET', text => 'ticket not recognized' } unless $data;
    return { code => 'INVALID_SERVICE', text => 'ticket was issued for another service' }
      unless _same_url( $service, $data->{service} );
    return { code => 'INVALID_TICKET', text => 'ticket was not issued from credentials' }
      if lc( $req->param('renew') // '' ) eq 'true' and not $data->{renew};

    return { code => 'INVALID_TICKET', text => 'session has ended' } unless $session;
    my $app = $data->{app};
    my %res = ( user => $session->{uid}, proxies => $data->{proxies} || [] );

    if ( my $url = $req->param('pgtUrl') ) {
        return { code => 'UNAUTHORIZED_SERVICE_PROXY', text => 'service may not proxy' }
          unless $self->_option( $app, 'AllowProxy' );
        return { code => 'INVALID_PROXY_CALLBACK', text => 'pgtUrl is not an https URL of the service' }
          unless $url =~ /\Ahttps:/ and ( $self->getCasApp($url) // '' ) eq $app;
        $res{pgtiou} = $self->_grant_proxy( $data, $url );
    }

    my $released = $self->conf->{casAppMetaDataExportedVars}->{$app} || {};
    for my $name ( keys %$released ) {
        my $value = $session->{ $released->{$name} };
        $res{attributes}->{$name} = [ split /\Q$self->{conf}->{multiValuesSeparator}\E/, $value ]
          if defined $value;
    }
    $res{attributes}->{isFromNewLogin} = [ $data->{renew} ? 'true' : 'false' ];

    if ( $self->_option( $app, 'Logout' ) ) {
        $self->_sql(
            'INSERT INTO service_sessions (session, ticket, service) VALUES (?, ?, ?) RETURNING 1',
            $data->{session}, $ticket, $data->{service} );
    }
    $self->auditLog(
        $req,
        code    => 'ISSUER_CAS_VALIDATE_SUCCESS',
        app     => $app,
        user    => $res{user},
        message => "CAS validation for $res{user} by $app",
    );
    return \%res;
}

sub _same_url {
    my ( $one, $other ) = @_;
    return 1 if $one eq $other;
    return URI->new($one)->eq( URI->new($other) );
}

sub _answer {
    my ( $self, $req, $res ) = @_;
    if ( $res->{code} ) {
        $self->userLogger->warn("CAS validation refused: $res->{code} ($res->{text})");
        return $self->_xml( qq{<cas:authenticationFailure code="$res->{code}">}
              . _escape( $res->{text} )
              . '</cas:authenticationFailure>' );
    }
    my $xml = '<cas:authenticationSuccess><cas:user>' . _escape( $res->{user} ) . '</cas:user>';
    $xml .= '<cas:attributes>';
    for my $name ( sort keys %{ $res->{attributes} } ) {
        $xml .= "<cas:$name>" . _escape($_) . "</cas:$name>" for @{ $res->{attributes}->{$name} };
    }
    $xml .= '</cas:attributes>';
    $xml .= "<cas:proxyGrantingTicket>$res->{pgtiou}</cas:proxyGrantingTicket>" if $res->{pgtiou};
    if ( @{ $res->{proxies} } ) {
        $xml .= '<cas:proxies>'
          . join( '', map { '<cas:proxy>' . _escape($_) . '</cas:proxy>' } @{ $res->{proxies} } )
          . '</cas:proxies>';
    }
    return $self->_xml("$xml</cas:authenticationSuccess>");
}

sub _escape {
    my ($text) = @_;
    $text =~ s/[^\x09\x0A\x0D\x20-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]//g;
    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;
    $text =~ s/>/&gt;/g;
    $text =~ s/"/&quot;/g;
    return $text;
}

sub _xml {
    my ( $self, $inner ) = @_;
    return $self->_text(
        "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>$inner</cas:serviceResponse>\n",
        'application/xml' );
}

sub _text {
    my ( $self, $text, $type ) = @_;
    utf8::encode($text);
    return [
        200,
        [
            'Content-Type'   => ( $type || 'text/plain' ) . '; charset=utf-8',
            'Content-Length' => length $text,
            'Cache-Control'  => 'no-store',
        ],
        [$text]
    ];
}

# PROXIES

sub _grant_proxy {
    my ( $self, $data, $url ) = @_;
    my $pgt = $self->_new_ticket(
        'PGT',
        app     => $data->{app},
        session => $data->{session},
        proxies => [ $url, @{ $data->{proxies} || [] } ],
    ) or return undef;
    my $iou = 'PGTIOU-' . Lemonldap::NG::Common::Session::randomId();
    my $response =
      $self->ua->get( $url
          . ( $url =~ /\?/ ? '&' : '?' )
          . build_urlencoded( pgtIou => $iou, pgtId => $pgt ) );
    return $iou if $response->is_success;
    $self->logger->error( "Proxy callback $url: " . $response->status_line );
    $self->_sql( 'DELETE FROM cas_tickets WHERE id = ? RETURNING 1', sha256_hex( $pgt =~ s/\APGT-//r ) );
    return undef;
}

sub proxy {
    my ( $self, $req ) = @_;
    my ( $pgt, $target ) = map { scalar $req->param($_) } qw(pgt targetService);
    return $self->_proxy_failure( 'INVALID_REQUEST', 'pgt and targetService are required' )
      unless $pgt and $target;
    my ( $data, $session ) = eval { $self->_ticket( $pgt, 'PGT' ) };
    if ($@) {
        $self->logger->error("Session database unavailable: $@");
        return $self->_proxy_failure( 'INTERNAL_ERROR', 'session database unavailable' );
    }
    return $self->_proxy_failure( 'INVALID_TICKET', 'pgt not recognized, or its session has ended' )
      unless $session and not $self->_closed($session);
    my $app = $self->getCasApp($target);
    return $self->_proxy_failure( 'UNAUTHORIZED_SERVICE', 'target service is not open to this person' )
      unless $app and $self->_may_enter( $req, $app, $session );
    my $ticket = $self->_new_ticket(
        'PT',
        service => $target,
        renew   => 0,
        app     => $app,
        session => $data->{session},
        proxies => $data->{proxies},
    ) or return $self->_proxy_failure( 'INTERNAL_ERROR', 'session database unavailable' );
    return $self->_xml("<cas:proxySuccess><cas:proxyTicket>$ticket</cas:proxyTicket></cas:proxySuccess>");
}

sub _proxy_failure {
    my ( $self, $code, $text ) = @_;
    $self->userLogger->warn("CAS proxy ticket refused: $code ($text)");
    return $self->_xml( qq{<cas:proxyFailure code="$code">} . _escape($text) . '</cas:proxyFailure>' );
}

# SIGNING OUT

# Ends the session and tells every service it opened. Only a declared service
# is redirected to; "url" is the parameter of CAS 2.
sub logoutPage {
    my ( $self, $req ) = @_;
    my $session = $req->userData;
    $self->_end_session( $req, $session ) if $session and $session->{_session_id};
    $req->userData( {} );
    for my $name (qw(service url)) {
        my $url = $req->param($name);
        return $self->_redirect_to( $req, $url ) if $self->getCasApp($url);
    }
    $req->error(PE_LOGOUT_OK);
    my ( $template, $params ) = $self->p->display($req);
    return $self->p->sendHtml( $req, $template, params => $params );
}

# The product's own logout comes here too.
sub logout {
    my ( $self, $req ) = @_;
    my $id = $req->sessionInfo->{_session_id} || $req->id or return PE_OK;
    $self->_tell_services( $id, $req->sessionInfo->{uid} );
    return PE_OK;
}

sub _end_session {
    my ( $self, $req, $session ) = @_;
    my $id = $session->{_session_id} or return;
    $self->_tell_services( $id, $session->{uid} );
    my $row = $self->p->getApacheSession($id) or return;
    $req->sessionInfo($session);
    $self->p->_deleteSession( $req, $row );
    $req->sessionInfo( {} );
}

# Who signs out, for services that do not know by which ticket a session was opened.
sub buildLogoutRequest {
    my ( $self, $ticket, $login ) = @_;
    my $request = $self->SUPER::buildLogoutRequest($ticket);
    $request =~ s/\@NOT_USED\@/_escape($login)/e if defined $login;
    return $request;
}

sub _tell_services {
    my ( $self, $id, $login ) = @_;
    my $hash = sha256_hex($id);
    my @open = eval {
        $self->_sql(
            q{DELETE FROM cas_tickets WHERE a_session ->> 'session' = ? RETURNING 1},
            $hash );
        $self->_sql(
            'DELETE FROM service_sessions WHERE session = ? RETURNING ticket, service',
            $hash );
    };
    $self->logger->error("Services not told of the logout: $@") if $@;
    my $give_up = time + $self->conf->{entLogoutSeconds};
    for (@open) {
        my ( $ticket, $service ) = @$_;
        if ( time >= $give_up ) {
            $self->logger->error("Not told of a logout, no time left: $service");
            next;
        }
        my $response =
          $self->ua->post( $service, { logoutRequest => $self->buildLogoutRequest( $ticket, $login ) } );
        $self->logger->error( "Not told of a logout: $service: " . $response->status_line )
          unless $response->is_success;
    }
}

1;
