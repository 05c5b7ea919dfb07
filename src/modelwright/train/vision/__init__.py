"""An image encoder trained on the project's own pictures. PyTorch works in processes of its own."""
