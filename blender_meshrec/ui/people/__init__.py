"""The list of the people who were found."""
