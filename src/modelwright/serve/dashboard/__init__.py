"""The dashboard: pages rendered here, a little JavaScript, small SVG charts; nothing from anywhere else."""
