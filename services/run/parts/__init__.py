"""What each noun hands to the factory. One module per noun: it connects, it decides nothing."""
