"""What watching must never forget: state, alerts, deploys, events and history, in PostgreSQL."""
