"""The API as an OpenAPI 3.1 document, written by hand; a test holds it against the routes."""
