"""Recognition: which listed work a master shows, where, and how sure (比对)."""
