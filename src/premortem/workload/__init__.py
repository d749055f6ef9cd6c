"""The indexes that a whole workload is best served by, and the ones that may go.

Words: a *demand* is a query with its values and its weight; a *question* is a demand planned with some candidates
visible; an *atom* is a set of indexes that one plan reads, with its cost; the *frontier* is the best cost for every
size.  What an index costs to keep is its *upkeep*.

It asks servers nothing itself: a `World` that is handed in plans, and everything here is decided from its answers.
"""
