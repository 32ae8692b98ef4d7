"""Commission by a dated fee schedule."""
