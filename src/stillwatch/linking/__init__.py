"""Linking stage: who shares what rare thing with whom, and which requests are one workload."""
