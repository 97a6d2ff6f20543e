# Read by llng-fastcgi-server before it forks: the portal's code is compiled
# once and its memory shared, instead of by each worker at its first request.
use strict;
use warnings;

use JSON::XS            ();
use HTML::Template      ();
use DBD::Pg             ();
use IO::Socket::SSL     ();
use LWP::UserAgent      ();
use LWP::Protocol::https ();
use Net::LDAP           ();
use XML::LibXML         ();
use Lemonldap::NG::Portal::Main                  ();
use Lemonldap::NG::Portal::Main::Menu            ();
use Lemonldap::NG::Portal::2F::Engines::Default  ();
use Lemonldap::NG::Portal::Lib::CustomModule     ();
use Ent::SessionStore ();
use Ent::Auth         ();
use Ent::UserDB       ();
use Ent::Plugin       ();
use Ent::CAS          ();

1;
