"""Pictures and pages of what was recorded and measured."""
