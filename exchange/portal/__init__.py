"""Pages for rights holders, broadcasters and the public."""
