"""One's own entry, as identity annuaire-account reads it: everything but the proofs of identity."""

from dataclasses import dataclass
from datetime import date

from ent.directory import AccountState, Directory, Entry, Scope, equals


@dataclass(frozen=True, slots=True)
class StateDates:
    """Since when the account is in its state, and until when, as far as that is known."""

    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class Own:
    """The entry of whoever signed in.

    state: None when the directory knows none, or one that this software does not.
    """

    dn: str
    uid: str
    name: str
    state: AccountState | None
    entry: Entry

    # Everything that acl.yml lets annuaire-account read of a person, but what is the same
    # in another form (cn, DNs of structures) and supannRefId: numbers of other applications,
    # which may be the Harpège code, a proof of identity.
    ATTRIBUTES = (
        *("uid", "displayName", "cn", "supannCivilite", "givenName", "sn"),
        *("supannNomDeNaissance", "supannPrenomsEtatCivil", "supannOIDCGenre"),
        *("supannCodeINSEEVilleDeNaissance", "supannCodeINSEEPaysDeNaissance"),
        *("eduPersonNickname", "preferredLanguage"),
        *("supannRessourceEtat", "supannRessourceEtatDate", "supannConsentement"),
        *("eduPersonPrimaryAffiliation", "eduPersonAffiliation", "eduPersonScopedAffiliation"),
        *("title", "supannActivite", "supannRole", "supannRoleEntite", "supannRoleGenerique"),
        *("supannEntiteAffectationPrincipale", "supannEntiteAffectation", "supannAffectation"),
        *("supannTypeEntiteAffectation", "supannEtablissement", "supannOrganisme"),
        *("supannEmpCorps", "supannEmpProfil", "supannEmpDateFin", "supannExtProfil"),
        *("supannExtDateFin", "supannCodePopulation", "supannParrainDN"),
        *("supannEtuAnneeInscription", "supannEtuCursusAnnee", "supannEtuDateFin"),
        *("supannEtuDiplome", "supannEtuElementPedagogique", "supannEtuEtape"),
        *("supannEtuInscription", "supannEtuRegimeInscription"),
        *("supannEtuSecteurDisciplinaire", "supannEtuTypeDiplome"),
        *("telephoneNumber", "supannAutreTelephone", "facsimileTelephoneNumber", "roomNumber"),
        *("physicalDeliveryOfficeName", "postalAddress", "labeledURI"),
        *("mail", "supannAutreMail"),
        *("mobile", "supannMailPrive", "supannTelephonePrive", "supannAdressePostalePrivee"),
        *("supannListeRouge", "entTelephoneHidden", "supannMailPerso"),
    )

    @classmethod
    def from_entry(cls, entry: Entry) -> "Own":
        """From an entry read with ATTRIBUTES."""
        return cls(
            dn=entry.dn,
            uid=entry.text("uid"),
            name=entry.name,
            state=AccountState.of(entry.texts("supannRessourceEtat")),
            entry=entry,
        )

    @property
    def may_sign_in(self) -> bool:
        """Active, or in the grace period."""
        return self.state is not None and self.state.may_sign_in

    def texts(self, attribute: str) -> tuple[str, ...]:
        """All values of an attribute."""
        return self.entry.texts(attribute)

    def text(self, attribute: str) -> str:
        """The first value, or ""."""
        return self.entry.text(attribute)

    def is_true(self, attribute: str) -> bool:
        """Whether a boolean attribute is TRUE; without a value it is not."""
        return self.entry.text(attribute).upper() == "TRUE"

    @property
    def state_dates(self) -> StateDates:
        """Dates of the present state: `{COMPTE}A:SupannSursis:20260901:20261130`."""
        if self.state is not None:
            return StateDates(*self.state.dates(self.texts("supannRessourceEtatDate")))
        return StateDates(None, None)


def find(directory: Directory, uid: str) -> Own | None:
    """The person with this login; None: there is none. Raises DirectoryUnavailable."""
    entry = directory.one(
        f"ou=people,{directory.settings.suffix}", equals("uid", uid), Own.ATTRIBUTES, Scope.CHILDREN
    )
    return Own.from_entry(entry) if entry else None
