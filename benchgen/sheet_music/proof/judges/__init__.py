"""The judges, one file for each kind of question; ``judge.py`` calls them.

A judge takes the question, the options and what is written, and says of every
option whether it is right. It raises ``Fault`` where the question or an option
is not in the printed form, or the score breaks a condition that its class
states: such an item has no truth to compare with.
"""
