"""What a person is told: their centre of notifications, the devices it is pushed to, and who is told of what."""
