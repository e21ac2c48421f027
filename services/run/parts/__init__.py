"""What each noun hands to the factory. One module per noun: it connects, it decides nothing.

Not here: what is connected (each noun's own package), and in which order (`services.run.factory`).
"""
