"""Red letters (红字): what takes an invoice back, wholly or in part."""
