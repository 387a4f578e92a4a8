"""What only the workbook uses: its figures, exercises, studies and screens.

The rooms of the library know none of these. Imports run one way here too::

    figures <- exercises, studies <- explorers, desk

`figures` knows no widget; `explorers` and `desk` are the only places that know a screen, and
nothing but notebooks imports them. `exercises`, `explorers` and `figures` can also be imported from
``toposeg_lite`` itself, as the chapters do.
"""
