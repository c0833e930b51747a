"""What has to be proved before it counts, and whose a document is."""
