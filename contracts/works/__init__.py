"""Works (作品) and their identifiers: EIDR, ISAN, permits."""
