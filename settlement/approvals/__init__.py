"""Approvals: what one person made, another approves, bound to its content's hash."""
