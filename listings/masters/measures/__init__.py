"""What is measured in the decoded picture and sound of a master (pure: arrays and lines in)."""
