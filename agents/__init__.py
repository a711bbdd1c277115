"""What learns by trial and error: the chain network, the policy-gradient agent, Stable-Baselines3 agents."""
