"""The doors a user comes in by: pipeline, command line, Python API."""
