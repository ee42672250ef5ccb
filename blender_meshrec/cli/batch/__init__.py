"""`meshrec batch`: many clips, each seen once by models that stay loaded, with a journal from which an interrupted run goes on.

job list or folder -> tasks (plan) -> engine (local or Ray) -> outcomes -> journal -> summary
"""
