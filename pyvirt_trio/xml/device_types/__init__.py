"""One file per device type: how its element is read and written. ``devices`` holds the table."""
