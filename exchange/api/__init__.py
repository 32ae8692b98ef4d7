"""JSON endpoints and their shapes, one module per resource."""
