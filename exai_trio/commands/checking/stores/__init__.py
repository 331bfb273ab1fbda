"""What `exai doctor` looks at of stores that machines share."""
