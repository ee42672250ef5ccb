"""Two people filmed together, with truth: acts.py says what they do, filming.py films it, measures.py compares a reconstruction."""
