"""What updates, chats and wake-up calls are: values and pure decisions. Knows no SQL and no network."""
