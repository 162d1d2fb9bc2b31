"""What a variant lost and what it gained, each time run by the program's own `edgerag.inference`."""
