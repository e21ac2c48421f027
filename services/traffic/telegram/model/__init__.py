"""What updates, chats and wake-up calls are: values and pure decisions.

Not here: SQL (`services.traffic.telegram.repository`), network, anything of the folder around it.
"""
