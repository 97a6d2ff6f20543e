"""Invented staff in any number, as rows of Harpège, always the same for the same seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

SEED = 2026
FIRST = 100_000
TABLES = (
    *("type_population", "corps", "type_contrat_travail", "structure", "individu", "personnel"),
    *("carriere", "element_carriere", "contrat_travail", "occupation", "affectation"),
)
_GIVEN = """
    Adèle Agnès Aïcha Alain Amélie André Anne-Marie Antoine Aurélie Bastien Béatrice Benoît
    Bérénice Camille Cécile Célestin Chloé Claire Clément Corentin Cyril Damien Delphine Denis
    Édith Élise Éloïse Émile Emma Éric Estelle Étienne Fanny Félix Florence François Gaëlle
    Gérard Gilles Hélène Henri Hugo Inès Irène Jean-Baptiste Jean-Pierre Jérôme Joëlle Jules
    Karine Kévin Laure Léa Léon Loïc Lucie Maëlle Marc Marie-Laure Mathilde Maxime Mélanie
    Michèle Nadège Nathan Nicolas Noémie Océane Olivier Pascal Paul Pénélope Philippe Quentin
    Rachid Raphaël Régine Rémi Romain Sabine Salomé Samuel Sébastien Serge Solène Sophie
    Stéphane Tanguy Thérèse Théo Thomas Ursule Valérie Victor Vincent Violette Xavier Yann
    Yvette Zélie Zoé
"""
_START = """
    Aub Bar Bel Ber Blan Bois Bon Bour Bran Bri Cas Cha Cham Che Cler Col Cor Cour Cres Dau
    Del Des Du Fa Fer Fon For Fou Gar Gau Gi Gra Gui Ha Her Ja Jou La Lam Lau Le Len Lou Mal
    Mar Mas Mer Mon Mo Nau Ney Oli Par Pas Pel Per Pi Pla Pon Por Pra Ra Ren Ri Ro Rous Sa Sau
    Ser Sou Tau Ter Thi Tour Va Val Ver Vi Vil
"""
_END = """
    ain and ard as aud ault beau bert bin bois bon champ chet court dat det din don ereau et
    eux fort ge gier gnon in is lain lard lat let lier lin lon mand mond net nier ois on ot
    our pin que quet rac rand re reau ric rin roy sac sier son tel tier ton val vert ville
"""

GIVEN, START, END = _GIVEN.split(), _START.split(), _END.split()
Row = tuple[object, ...]


def structures(number: int) -> Iterator[tuple[str, str]]:
    """Code and parent: a root, twenty faculties, then what is under them."""
    yield "B000", ""
    for index in range(1, number):
        yield f"B{index:03}", "B000" if index <= 20 else f"B{index % 20 + 1:03}"


def rows(people: int, units: int, today: date, seed: int = SEED) -> dict[str, list[Row]]:
    """Table → rows, in the order of its columns. None is null."""
    chance = random.Random(seed)
    found: dict[str, list[Row]] = defaultdict(list)
    found["type_population"] = [("SA", None, "O"), ("IA", None, "N"), ("AA", None, "N")]
    found["corps"] = [
        ("300", "PR", "Professeur des universités"),
        ("301", "MCF", "Maître de conférences"),
        ("841", "IGE", "Ingénieur d’études"),
        ("747", "AAE", "Attaché d’administration"),
    ]
    found["type_contrat_travail"] = [("AT", "ATER", "O"), ("CO", "Agent contractuel", "N")]
    for code, parent in structures(units):
        name = f"Structure {code} de l’université"
        found["structure"].append((code, code, name, parent or None, date(1971, 1, 1), None))
    for number in range(FIRST, FIRST + people):
        _person(number, units, today, chance, found)
    return found


def _person(
    number: int,
    units: int,
    today: date,
    chance: random.Random,
    found: dict[str, list[Row]],
) -> None:
    given = chance.choice(GIVEN)
    family = chance.choice(START) + chance.choice(END)
    if chance.random() < 0.15:
        family += f"-{chance.choice(START)}{chance.choice(END)}"
    if chance.random() < 0.05:
        family = chance.choice(("Le ", "de ", "d’", "de La ")) + family
    born = today - timedelta(days=chance.randrange(22 * 365, 66 * 365))
    civility = chance.choice(("M.", "MME"))
    birth_name = chance.choice(START) + chance.choice(END) if chance.random() < 0.2 else None
    found["individu"].append((number, civility, family, birth_name, given, born, None))
    found["personnel"].append((number,))
    began = today - timedelta(days=chance.randrange(30, 9000))
    civil = chance.random() < 0.7
    if civil:
        population, corps = chance.choice(
            (("SA", "300"), ("SA", "301"), ("IA", "841"), ("AA", "747"))
        )
        found["carriere"].append((number, 1, population, began, None))
        found["element_carriere"].append((number, 1, corps, began, None, None, "N"))
        end = None
    else:
        end = today + timedelta(days=chance.randrange(60, 900))
        found["contrat_travail"].append((number, 1, chance.choice(("AT", "CO")), began, end))
    found["occupation"].append((number, 1, 1 if civil else None, None if civil else 1, began, end))
    for _ in range(2 if chance.random() < 0.1 else 1):
        sequence = len(found["affectation"]) + 1
        unit = f"B{chance.randrange(1, units):03}"
        found["affectation"].append((sequence, number, 1, unit, began, end, 100, 100))


def copy_text(lines: list[Row]) -> str:
    r"""Rows in the text form of PostgreSQL's COPY (tabs, \N for null)."""
    return "".join(
        "\t".join("\\N" if value is None else str(value) for value in line) + "\n" for line in lines
    )
