"""What is wrong and what to do about it: the doctor of a client's set-up, the explainer of document packages.

It needs the SDK alone, so whoever installs `segl` without extras has it.
"""
