"""`exai init`: from nothing to an answer in the editor, and back."""
