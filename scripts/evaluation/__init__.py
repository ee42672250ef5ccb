"""What reconstructions and conversions are measured against."""
