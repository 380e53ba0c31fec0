"""Accounts stage: the ledger to one behaviour profile per account, and what each behaviour says."""
