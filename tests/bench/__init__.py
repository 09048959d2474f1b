"""The bench: what a request through the gateway costs, beside a floor and beside others.

`command.PARTS` lists the parts; each is a module with ``HELP``, ``add_arguments(parser)`` and
``measure(arguments) -> Report``, and imports at its top only the standard library and its neighbours.
"""
