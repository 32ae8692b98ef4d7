"""Files of banks: payment files out (pain.001), statements in (camt.053/054, MT940)."""
