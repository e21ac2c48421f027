"""What customers' tenants used, for those who pay for it. Not here: how use is posted (traffic.ledger)."""
