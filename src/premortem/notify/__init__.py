"""Tells people and machines: Slack, PagerDuty, Alertmanager, webhooks and what Apprise reaches."""
