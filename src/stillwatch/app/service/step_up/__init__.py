"""Step-up pages: where a person shows who uses an account, and where they object."""
