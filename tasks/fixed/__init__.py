"""The 109 hand-designed tasks."""
