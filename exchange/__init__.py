"""The doors: JSON API, portal, console, commands, feed, worker; identity; wiring."""
