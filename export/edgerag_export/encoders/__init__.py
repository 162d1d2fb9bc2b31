"""Encoders (embedders, cross-encoders): from torch to float32 ONNX to the variants that a small machine runs."""
