"""The command line, one file for each noun. Operators only: whoever runs it holds the database and the key file."""
