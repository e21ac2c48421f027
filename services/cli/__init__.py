"""The command line: `clawstack`. It calls the same services as the API; it decides nothing itself."""
