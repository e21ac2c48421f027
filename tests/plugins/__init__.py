"""How a test run is spread over workers, repeated where it must be, and measured. Loaded by tests/conftest.py."""
