"""What an artist sees and does with a result."""
