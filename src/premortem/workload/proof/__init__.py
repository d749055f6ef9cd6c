"""What execution on a mirror makes of the planner's estimates, and a search that has heard of it."""
