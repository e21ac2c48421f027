"""What operators see and do over HTTP. Not here: the command line (cli)."""
