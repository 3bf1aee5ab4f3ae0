"""What trains ProGIC, exports it, draws it and writes its card; nothing that codes."""
