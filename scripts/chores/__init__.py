"""The chores of build.py; standard library only, for any Python 3.11 or later."""
