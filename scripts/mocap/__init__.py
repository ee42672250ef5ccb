"""The motion capture that everything here learns from and is measured on."""
