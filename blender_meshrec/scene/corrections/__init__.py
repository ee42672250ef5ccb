"""What an artist corrects of a result: contacts, pins and bad ranges; planting, and what solving again has changed."""
