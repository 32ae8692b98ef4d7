"""Chain of title (权属链): the documents that show whose a work is."""
