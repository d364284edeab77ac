"""A service under load whose processes, disk, database and mail server fail at random; nothing may be lost.

`make chaos` runs it. `service` starts and kills the processes, `faults` are what goes wrong, `load` are the people and
programs that use it meanwhile, `invariants` are what must hold at the end.
"""
