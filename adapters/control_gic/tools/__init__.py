"""What searches Control-GIC's rate points; nothing that codes."""
