"""Who works on a cell, and that it is only one: leases, their keeping, turns for a free slot, and what is counted."""
