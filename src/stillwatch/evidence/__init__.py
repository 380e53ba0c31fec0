"""What a run found, put so that a person can judge it: explanations and the report."""
