"""What agents are measured against: fixed orders, target reordering, composites, classical models; the comparison."""
