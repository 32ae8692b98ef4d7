"""Taxes withheld from payees abroad when they are paid (代扣代缴)."""
