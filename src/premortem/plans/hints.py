"""What to do about a text that holds no plan: said by every reader of plans."""

HINT = "paste the output of EXPLAIN in any of its formats, whole and with its indentation"
