"""Literals that meet pseudonyms, as a gap of a query's judgement."""

from __future__ import annotations

from premortem.model import Gap, Plan, Profile
from premortem.parameters import literals_unknown


def gaps(plan: Plan, profile: Profile) -> tuple[Gap, ...]:
    """Return a gap for the columns that the plan compares with a literal and whose values are pseudonyms.

    The plan must hold no values but those of the text: it is the literal one, or the generic one.
    """
    named = literals_unknown(plan, profile)
    if not named:
        return ()
    columns = ", ".join(named)
    return (
        Gap(
            subject=f"values of {columns}",
            says="The query compares it with a literal, and the profile holds pseudonyms in place of its values.",
            effect="The literal is planned as a value that few rows have, if any.",
            cure="use a placeholder, for which values are chosen, or pull the profile with --values all",
        ),
    )
