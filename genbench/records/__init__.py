"""What a cell writes, and where: records, stamps, pictures and the names of files. Nothing here imports torch."""
