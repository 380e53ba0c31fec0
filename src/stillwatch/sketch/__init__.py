"""The privacy border: exchanges and account records in, keyed fingerprints and counts out."""
