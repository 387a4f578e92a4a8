"""The folder that nnU-Net is pointed to: it imports every file here by its bare name."""
