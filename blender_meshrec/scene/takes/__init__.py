"""Takes: the actions made for one person, which of them plays, and what each of its frames is."""
