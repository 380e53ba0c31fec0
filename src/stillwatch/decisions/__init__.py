"""Decisions stage: what a verdict asks of the gateway, account by account, and when that changes."""
