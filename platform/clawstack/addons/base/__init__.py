"""What every add-on is made of: settings, pins, and the shapes that builders fill.

Not here: how any single add-on is built (`clawstack.addons.charts`, `clawstack.addons.workloads`).
"""
