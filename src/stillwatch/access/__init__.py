"""Access stage: what makes fake accounts expensive, shared keys visible and stolen reasoning useless."""
