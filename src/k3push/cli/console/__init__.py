"""What a person sees in a terminal, and the signals and streams of the process."""
