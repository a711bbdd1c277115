"""What agents are measured against: orders, reordering, composites, classical models; the comparison."""
