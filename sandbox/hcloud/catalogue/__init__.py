"""What Hetzner offers to everybody: locations, types, system images, prices. Tables only; nothing of a project's own."""
