"""From a workload's queries to demands: how often each runs, with which values, and what one look at its plans says."""
