"""What every add-on is made of: settings, pins, and the shapes that builders fill. Knows no single add-on."""
