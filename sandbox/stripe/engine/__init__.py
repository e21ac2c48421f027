"""What an account does: charge, invoice, renew, cancel, retry. Rules only; no HTTP and no SQL."""
