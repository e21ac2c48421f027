"""The methods of the Bot API, one module per noun, collected in `registry`.

A method takes (call) and returns the `result` of the answer; it raises BotApiError. HTTP stays outside.
"""
