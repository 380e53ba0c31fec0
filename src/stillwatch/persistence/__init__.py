"""The relational database and the audit log: what decisions and access are kept in. No stage of its own."""
