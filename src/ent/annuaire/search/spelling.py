"""Words that differ by one mistake of typing: a letter missing, added, wrong, or two swapped.

Two words within one mistake of each other always have in common the word itself
or a variant with one letter left out ("symmetric delete", Wolf Garbe 2012). So the
index holds every word's variants, and looking one up is a lookup of equal strings.
"""

# Shorter words have too many neighbours that are other names.
SHORTEST = 4
LONGEST = 40


def variants(word: str) -> set[str]:
    """The word, and the word less each letter; nothing for words that are not corrected."""
    if not SHORTEST <= len(word) <= LONGEST:
        return set()
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def within_one_mistake(one: str, other: str) -> bool:
    """Whether a missing, added, wrong or swapped letter makes one word of the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    rest, rest_of_other = one[at:], other[at:]
    return (
        rest[1:] == rest_of_other  # also when both are empty: the same word
        or rest == rest_of_other[1:]
        or rest[1:] == rest_of_other[1:]
        or (rest[:2] == rest_of_other[1::-1] and rest[2:] == rest_of_other[2:])
    )
