"""Contacts and corrections, and solving again."""
