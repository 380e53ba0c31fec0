"""Shared signals: verdicts as security events to an identity provider, and its events back (SSF 1.0)."""
