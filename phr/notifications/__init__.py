"""What a person is told, where and how: the centre, and the channels that lead to it."""
