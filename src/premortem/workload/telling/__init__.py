"""The case for what was chosen, in words and figures: what each index does, what was declined, and why."""
