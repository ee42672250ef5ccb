"""Edits of a result that leave the capture as it is: an action made from it, a strip, and a layer of corrections."""
