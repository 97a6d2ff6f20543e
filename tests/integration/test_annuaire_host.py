"""The annuaire as it runs on its host: two processes, TLS, headers, sandbox, neighbours down."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from lab import LabUnderTest, wait_for

HOST = "annuaire1"
UNITS = ("ent-annuaire", "ent-annuaire-index", "ent-helpdesk")
pytestmark = [
    pytest.mark.uses("helpdesk"),
    pytest.mark.service(HOST, *UNITS, "nginx"),
]


@pytest.fixture(scope="module")
def url(lab: LabUnderTest) -> str:
    return f"https://annuaire.{lab.domain}"


@pytest.fixture
def http(lab: LabUnderTest) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify = lab.ca_file
        session.trust_env = False
        yield session


@pytest.mark.guide("G4")
def test_the_annuaire_answers_at_its_name(url: str, http: requests.Session) -> None:
    response = http.get(url)
    assert response.status_code == 200
    assert "Rechercher une personne" in response.text
    plain = http.get(f"{url.replace('https', 'http')}/structures?a=b", allow_redirects=False)
    assert (plain.status_code, plain.headers["Location"]) == (301, f"{url}/structures?a=b")


@pytest.mark.parametrize("path", ["/", "/structures", "/nulle-part", "/assistance/"])
def test_headers(url: str, http: requests.Session, path: str) -> None:
    headers = http.get(url + path, allow_redirects=False).headers
    assert re.search(r"max-age=\d{8,}", headers["Strict-Transport-Security"])
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert ("noindex" in headers.get("X-Robots-Tag", "")) is (path != "/")


@pytest.mark.parametrize(
    ("path", "cookie"),
    [("/compte/", "__Host-annuaire-session"), ("/assistance/", "__Secure-helpdesk-session")],
)
def test_a_cookie_with_a_null(url: str, http: requests.Session, path: str, cookie: str) -> None:
    """Escaped, as RFC 2109 has it: PostgreSQL takes no null in a text."""
    value = "a" * 31 + "\\000"
    response = http.get(url + path, headers={"Cookie": f'{cookie}="{value}"'})
    assert response.status_code == 200


def test_each_process_asks_cas_for_a_ticket_of_its_own(url: str, http: requests.Session) -> None:
    """The public pages can never use a ticket made for the help desk, nor see its cookies."""
    services = {}
    for path in ("/connexion", "/assistance/connexion"):
        response = http.get(url + path, allow_redirects=False)
        assert response.status_code == 302
        service = requests.utils.unquote(response.headers["Location"])
        services[path] = re.search(r"service=(https://[^?&]+)", service)[1]  # type: ignore[index]
    assert services == {path: url + path for path in services}
    cookies = {cookie.name: cookie for cookie in http.cookies}
    assert cookies["__Host-annuaire-etat"].path == "/"
    assert cookies["__Secure-helpdesk-etat"].path == "/assistance/"
    for cookie in cookies.values():
        assert cookie.secure
        assert cookie.has_nonstandard_attr("HttpOnly")


def test_static_files_of_each_process(url: str, http: requests.Session) -> None:
    for path, prefix in (("/", "/static/"), ("/assistance/code", "/assistance/static/")):
        style = re.search(rf'href="({prefix}ent/ent\.[0-9a-f]+\.css)"', http.get(url + path).text)
        assert style
        response = http.get(url + style[1])
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/sante", "/assistance/sante"])
def test_health_is_for_the_host_itself(
    lab: LabUnderTest, url: str, http: requests.Session, path: str
) -> None:
    assert http.get(url + path).status_code == 404
    answer = on_the_host(lab, "127.0.0.1", f"print(get({path!r})[1])")
    assert '"base": "ok"' in answer
    assert "ko" not in answer


_CLIENT = """
import http.client, socket, ssl
class Connection(http.client.HTTPSConnection):
    def connect(self):
        raw = socket.create_connection(({address!r}, 443))
        self.sock = ssl.create_default_context().wrap_socket(raw, server_hostname={name!r})
client = Connection({name!r})
def get(path, **headers):
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    return answer.status, answer.read().decode()
"""


def on_the_host(lab: LabUnderTest, address: str, script: str) -> str:
    """Run Python on the host with get(path), which asks nginx from that local address."""
    program = _CLIENT.format(address=address, name=f"annuaire.{lab.domain}") + script
    result = lab.run(HOST, "python3 -c %s", program)
    assert result.rc == 0, result.stderr
    return str(result.stdout.strip())


def test_too_many_requests_of_one_address_get_a_page(lab: LabUnderTest) -> None:
    answers = on_the_host(
        lab,
        "127.0.0.1",
        "found = [get('/robots.txt') for _ in range(400)]\n"
        "print(*sorted({status for status, _ in found}))\n"
        "print(next(text for status, text in found if status == 429))\n",
    )
    statuses, _, page = answers.partition("\n")
    assert statuses == "200 429"
    assert "Trop de demandes" in page


# The lab has no IPv6. So the site's own zone, in an nginx beside it that believes a header;
# who counts as one is looked at, so nothing is given back meanwhile.
_SCRATCH_NGINX = """
folder=$(mktemp -d /var/tmp/nginx-XXXXXX)
trap 'nginx -c $folder/nginx.conf -s quit; rm -r "$folder"' EXIT
chmod 755 "$folder"
echo fine > "$folder/index.html"
{
  echo "user www-data; pid $folder/pid; events {} error_log stderr; http { access_log off;"
  sed '/^server {/,$d; s|rate=[^;]*|rate=1r/m|' /etc/nginx/conf.d/annuaire.conf
  echo "server { listen unix:$folder/socket; set_real_ip_from unix:; real_ip_header X-Client;"
  echo "limit_req_status 429; root $folder;"
  echo "location / { limit_req zone=annuaire burst=5 nodelay; } } }"
} > "$folder/nginx.conf"
nginx -c "$folder/nginx.conf" 2>/dev/null
python3 - "$folder/socket" <<'END'
import http.client, socket, sys
class Client(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
client = Client("localhost")
def get(address):
    client.request("GET", "/", headers={"X-Client": address})
    answer = client.getresponse()
    answer.read()
    return answer.status
found = [get("2001:db8:1:2::a") for _ in range(60)]
print(found[0], 429 in found, get("2001:db8:1:2:ffff::b"), get("2001:db8:1:3::a"), get("192.0.2.1"))
END
"""


def test_an_ipv6_network_counts_as_one_client(lab: LabUnderTest) -> None:
    result = lab.run(HOST, "bash -c %s", _SCRATCH_NGINX)
    assert result.stdout.split() == ["200", "True", "429", "200", "200"], result.stderr


def test_an_address_cannot_be_claimed(lab: LabUnderTest, url: str, http: requests.Session) -> None:
    """Else whoever copies the directory would have as many addresses as they like."""
    http.get(
        f"{url}/recherche?nom=martin&profil=tous", headers={"X-Forwarded-For": "198.51.100.77"}
    )
    counted = lab.run(
        "db1",
        "runuser -u postgres -- psql -d annuaire -tAc %s",
        "SELECT network FROM annuaire.search_allowance",
    )
    assert counted.rc == 0
    assert "198.51.100.77" not in counted.stdout


@pytest.mark.parametrize("length", [5_000, 9_000, 60_000])
def test_a_very_long_address_gets_a_page(url: str, http: requests.Session, length: int) -> None:
    response = http.get(f"{url}/recherche?nom={'x' * length}")
    assert response.status_code in (400, 414)
    assert 'lang="fr"' in response.text
    assert "trop long" in response.text.lower()


def test_a_very_large_form_gets_a_page(url: str, http: requests.Session) -> None:
    response = http.post(f"{url}/langue", data={"language": "x" * 1_000_000})
    assert response.status_code == 413
    assert "trop longue" in response.text


def test_secrets_are_readable_by_one_process_each(lab: LabUnderTest) -> None:
    for name, user in (
        ("settings.json", "ent-annuaire"),
        ("helpdesk.json", "ent-helpdesk"),
        ("owner.json", "ent-annuaire-owner"),
    ):
        found = lab.host(HOST).file(f"/etc/ent/annuaire/{name}")
        assert (found.user, found.group, found.mode) == ("root", user, 0o640)
        for other in {"ent-annuaire", "ent-helpdesk", "ent-annuaire-owner", "www-data"} - {user}:
            assert lab.run(HOST, "runuser -u %s -- cat %s", other, str(found.path)).rc != 0
    lines = lab.run(HOST, "ps -eo args").stdout
    for secret in (
        "ldap-annuaire-search",
        "ldap-annuaire-helpdesk",
        "db-annuaire",
        "db-annuaire_owner",
        "annuaire-django",
    ):
        assert lab.secret(secret) not in lines


def test_the_processes_have_the_rights_of_their_own_users(lab: LabUnderTest) -> None:
    for unit, user in zip(UNITS, ("ent-annuaire", "ent-annuaire", "ent-helpdesk"), strict=True):
        pid = lab.run(HOST, "systemctl show -p MainPID --value %s", unit).stdout.strip()
        assert lab.run(HOST, "ps -o user= -p %s", pid).stdout.strip() == user
        mounts = lab.run(HOST, "cat /proc/%s/mountinfo", pid).stdout
        root = [line.split() for line in mounts.splitlines() if line.split()[4] == "/"]
        assert root
        assert root[-1][5].startswith("ro")
    # nobody runs as the owner of the tables
    assert lab.run(HOST, "ps -u ent-annuaire-owner").rc == 1


@pytest.mark.parametrize("unit", UNITS)
def test_the_sandbox(lab: LabUnderTest, unit: str) -> None:
    exposure = lab.run(HOST, "systemd-analyze security --no-pager %s.service", unit).stdout
    score = re.search(r"exposure level for \S+: ([0-9.]+)", exposure)
    assert score
    assert float(score[1]) <= 2.0, exposure


def test_a_socket_is_for_nginx_alone(lab: LabUnderTest) -> None:
    for path in ("/run/ent-annuaire/annuaire.sock", "/run/ent-helpdesk/helpdesk.sock"):
        found = lab.host(HOST).file(path)
        assert (found.user, found.group, found.mode) == ("root", "www-data", 0o660)


@pytest.mark.alone("ldap1", "db1")
def test_directory_and_database_down(lab: LabUnderTest, url: str, http: requests.Session) -> None:
    """The first page still comes; the others say what is wrong, and come back by themselves."""
    asked = f"{url}/recherche?nom=martin"
    assert http.get(asked).status_code == 200
    for host, unit in (("ldap1", "slapd"), ("db1", "postgresql@17-main")):
        with lab.stopped(host, unit):
            response = http.get(asked)
            assert response.status_code == 503
            assert "ne répond pas" in response.text
            assert "Retry-After" in response.headers
            assert http.get(url).status_code == 200
        wait_for(lambda: http.get(asked).status_code == 200, what=f"the search after {unit}")
    assert "Jeanne Martin" in http.get(asked).text
    wait_for(
        lambda: '"index": "ok"' in on_the_host(lab, "127.0.0.1", "print(get('/sante')[1])"),
        what="the index after the database",
    )


@pytest.mark.alone("annuaire1")
def test_one_process_down_leaves_the_other(
    lab: LabUnderTest, url: str, http: requests.Session
) -> None:
    lab.run(HOST, "systemctl stop ent-annuaire.service ent-annuaire.socket")
    try:
        response = http.get(url)
        assert response.status_code == 502
        assert "momentanément indisponible" in response.text
        assert http.get(f"{url}/assistance/code").status_code == 200
    finally:
        lab.run(HOST, "systemctl start ent-annuaire.socket ent-annuaire.service")
    wait_for(lambda: http.get(url).status_code == 200, what="the public pages")


@pytest.mark.alone("annuaire1")
def test_a_restart_loses_no_request(lab: LabUnderTest, url: str, http: requests.Session) -> None:
    assert lab.run(HOST, "systemctl restart --no-block ent-annuaire.service").rc == 0
    assert {http.get(url).status_code for _ in range(40)} == {200}


def test_nightly_cleaning(lab: LabUnderTest) -> None:
    for unit in ("ent-annuaire-clean", "ent-helpdesk-clean"):
        assert lab.run(HOST, "systemctl is-active %s.timer", unit).rc == 0
        done = lab.run(HOST, "systemctl start %s.service", unit)
        assert done.rc == 0, lab.run(HOST, "journalctl -n 20 -u %s.service", unit).stdout
