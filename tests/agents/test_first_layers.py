import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.first_layers import of_sparse
from labelchain.agents.networks import build_network


@given(seed=st.integers(0, 99), num_rows=st.integers(1, 5), num_features=st.integers(1, 6))
def test_sparse_products_are_those_of_the_layers(seed: int, num_rows: int, num_features: int) -> None:
    torch.manual_seed(seed)
    layers = [nn.Linear(num_features, 3), nn.Linear(num_features, 2, bias=False)]
    inputs = torch.randn(num_rows, num_features) * (torch.rand(num_rows, num_features) < 0.4)
    for layer, product in zip(layers, of_sparse(inputs, layers), strict=True):
        torch.testing.assert_close(product, layer(inputs))


def test_a_batch_of_nothing_but_zeros_gives_the_bias() -> None:
    layer = nn.Linear(4, 3)
    (product,) = of_sparse(torch.zeros(2, 4), [layer])
    torch.testing.assert_close(product, layer.bias.expand(2, 3))


def test_a_row_gives_the_same_whatever_is_beside_it() -> None:
    torch.manual_seed(0)
    words = (torch.rand(9, 50) < 0.1).float()
    layer = nn.Linear(50, 8)
    alone = torch.cat([of_sparse(words[[row]], [layer])[0] for row in range(9)])
    torch.testing.assert_close(of_sparse(words, [layer])[0], alone, rtol=0.0, atol=0.0)


def test_networks_on_rows_of_words_begin_as_their_layers_do() -> None:
    torch.manual_seed(0)
    words = (torch.rand(9, 50) < 0.1).float()
    for cell in ("sum", "gru"):
        network = build_network(50, 4, NetworkConfig(cell=cell, width=8), "unit-rows").eval()  # type: ignore[arg-type]
        begun = network.logits(network.start(words))
        given_nothing = network(words, torch.zeros(9, 0, dtype=torch.int64))[0][:, 0]
        torch.testing.assert_close(begun, given_nothing)
        for factor in (1e-15, 1e30):
            torch.testing.assert_close(network.logits(network.start(words * factor)), begun)
