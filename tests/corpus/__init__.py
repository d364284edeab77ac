"""Any PDFs through all that is done to a document, and whether the sealed pages are those of the original.

`make corpus` runs it over a folder. It judges by itself, whatever the service finds out when it inspects a document:
`viewers` are two programs that show a page of an original and the same page as sealed, `pictures` says whether these
look alike, `judging` gives the verdict about a document.
"""
