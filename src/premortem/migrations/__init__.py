"""What a change's migrations do to a running production: locks, rewrites, indexes that come and go."""
