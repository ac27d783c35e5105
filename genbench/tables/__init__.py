"""Tables and pages, made of records. Nothing here imports torch."""
