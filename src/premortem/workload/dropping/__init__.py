"""The indexes that may go: who is suspected, who is spared, and the proof that nobody misses them."""
