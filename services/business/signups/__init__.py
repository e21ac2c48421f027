"""Sign-up and checkout: from a visitor's answers to a paid Checkout Session and the page that shows progress."""
