"""What is doubtful in data: counted and told, never changed."""
