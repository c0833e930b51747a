"""What may be sent, what an answer or a look proves, and which moves a number may make."""
