"""Trigger: whole events through the chips of a system to clusters, and what resolution, efficiency and rate become."""
