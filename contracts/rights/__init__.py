"""Rights: statutory rights, media, territories, languages, and their algebra."""
