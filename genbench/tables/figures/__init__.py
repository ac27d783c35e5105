"""Each figure of the table, declared once: one module a theme, put in their order by :mod:`genbench.tables.columns`.

A new figure is a part of a record that a measure returns (:mod:`genbench.records.parts`), and one ``Figure`` in the
tuple of its theme: its keys in rows, CSV and JSON, its type in Parquet, its heading, rank, tooltip and footnote follow.
"""
