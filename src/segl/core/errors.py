"""The root of the error tree and the errors of the core.

    SeglError
    ├── InvalidInput              something handed to us is wrong
    │   ├── InvalidRequest        the body of a create request: not the two parts that it must have
    │   ├── InvalidMessage        a message of the API: bad or forbidden XML, or not what the schema says
    │   │   └── InvalidLookup     a signer to be looked up who has nothing to be looked up by
    │   ├── InvalidPackage        a document package (ASiC-E)
    │   ├── InvalidDocument       a document: not a PDF, encrypted, broken, too large
    │   │   └── TooManyPages      more of them than can be made into one signed document
    │   └── InvalidSignature      a signature that cannot even be read as one
    └── UntrustedCertificate      chain, validity, revocation, key usage or organization number

The text of an error is for the person who can fix it: what is wrong with what, and what to do.
"""


class SeglError(Exception):
    """The root: catch this to catch everything Segl raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        # Exception's own way makes the copy by calling the class with the sentence alone, and some take more than that.
        return Exception.__new__, (type(self), *self.args), self.__dict__


class InvalidInput(SeglError):  # noqa: N818 - the name says what is wrong, and its subclasses follow it
    """Something handed to us is wrong."""


class InvalidRequest(InvalidInput):
    """A body that is not multipart as it must be, or has other parts than a create request."""


class InvalidMessage(InvalidInput):
    """A message that is not well-formed XML, uses forbidden XML, or is not what the schema says."""


class InvalidLookup(InvalidMessage):
    """A signer without identity number is to be looked up by it. The schema allows this, the API's rules do not."""


class InvalidPackage(InvalidInput):
    """A document package (ASiC-E) that is broken, incomplete, changed, or not signed as it must be."""


class InvalidDocument(InvalidInput):
    """A document that cannot be signed: not a PDF, encrypted, broken or too large."""


class TooManyPages(InvalidDocument):
    """A document of more pages than can be made into one signed document."""


class InvalidSignature(InvalidInput):
    """A signature that cannot be read as one."""


class UntrustedCertificate(SeglError):  # noqa: N818 - as above
    """A certificate that is not trusted for what it is used for."""
