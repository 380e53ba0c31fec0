"""The live service: what gateways send, ask and are told."""
