"""Reading and writing media with PyAV. Runs in worker processes: FFmpeg sees hostile files."""
