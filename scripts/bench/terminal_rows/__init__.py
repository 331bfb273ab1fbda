"""What terminals cost: one module for each kind of figure, all by turns with their floors."""
