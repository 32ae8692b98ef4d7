"""Conformance of masters (母版技术审查): profiles as dated data, checks, verdicts, reports."""
