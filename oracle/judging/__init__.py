"""What is made of what a call has returned: by the reference and its bounds, or by laws."""
