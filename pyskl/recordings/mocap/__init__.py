"""Motion capture: skeletons with joint angles (BVH, AMC), or optical markers (C3D)."""
