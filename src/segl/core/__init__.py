"""What SDK and service share: messages, packages, signatures, certificates. Neither Django nor HTTP."""
