"""Campaigns stage: the account graph to candidate groups, judged, with an error rate and a name."""
