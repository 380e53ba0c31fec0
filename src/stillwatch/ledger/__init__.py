"""Sketches and account records as they came, on disk: staged in any order, sealed hour by hour."""
