"""What is wrong and what to do about it: the doctor of a client's set-up, the explainer of document packages.

It needs only the SDK, so it is there when `segl` is installed without extras.
"""
