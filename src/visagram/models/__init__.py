"""The networks: what they are (cards) and how they run (ONNX Runtime). The only users of onnxruntime."""
