"""What goes with what, and which ways customers take: figures, layouts and pictures, without I/O."""
