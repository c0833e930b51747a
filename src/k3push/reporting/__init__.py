"""What a run came to: exit codes, the results folder, exports."""
