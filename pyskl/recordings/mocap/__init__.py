"""Readers of motion capture: BVH, AMC with ASF, C3D."""
