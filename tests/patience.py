"""How long a test waits for what must end. Only a hang takes as long, on however slow a machine."""

HANG_SECONDS = 1500.0
