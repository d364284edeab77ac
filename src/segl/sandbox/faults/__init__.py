"""What is to go wrong in a sandbox because a test asked for it."""
