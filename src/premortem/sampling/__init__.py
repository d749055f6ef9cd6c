"""Looks at running servers: one round trip a poll, as little of it as can be."""
