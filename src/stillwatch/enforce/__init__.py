"""Decisions at the gateway, with the standard library alone: it has to fit into any gateway's environment."""
