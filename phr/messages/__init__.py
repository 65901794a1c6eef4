"""Messages: threads of Communications between a person and those who care for them."""
