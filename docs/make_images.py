"""Draw the picture of an episode that the README shows: ``python docs/make_images.py``."""

from pathlib import Path

import gymnasium as gym
from matplotlib.image import imsave

import labelchain.envs  # noqa: F401  registers the environments

IMAGES = Path(__file__).parent / "images"
SCENE, CHAIN = 22, (7, 8, 1, 6)


def main() -> None:
    """Emit a short chain on one test scene, and save what the environment renders."""
    env = gym.make("labelchain/DigitScenes-v0", split="test", render_mode="rgb_array")
    env.reset(options={"index": SCENE})
    for label in CHAIN:
        env.step(label)
    imsave(IMAGES / "episode.png", env.render())


if __name__ == "__main__":
    main()
