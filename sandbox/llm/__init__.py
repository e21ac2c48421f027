"""Stand-in for model vendors: OpenAI's chat completions and responses, Anthropic's messages.

Here: the wire formats, an answer that shows what the model was told, faults on demand, a record of requests.
Not here: anything that knows how the product routes or bills.
"""
