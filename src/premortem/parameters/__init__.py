"""Which values a query is judged with: hot, typical, rare and absent ones, wide and narrow windows.

    choose(query, generic, parameter_types, profile)
      uses.uses        which column each placeholder is compared with (generic plan first, then the text)
      spread.Spread    what the statistics know of that column: common values, quantiles, values that are not there
      picks.pick       one value for one use in one mood
      joint            combinations, where extended statistics know which go together
    literals_unknown(plan, profile)   columns whose literal is a value that the profile does not have

It is pure, and the same input always gives the same sets.
"""

from premortem.parameters.choice import choose
from premortem.parameters.literals import literals_unknown

__all__ = ["choose", "literals_unknown"]
