"""Layers that multiply in 8-bit floating point."""

import torch
from torch import nn

from tintype.engine.flux2.float8 import Float8Linear, use_float8


def linear(inputs: int = 96, outputs: int = 64, *, bias: bool = False) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs, bias=bias).to(torch.bfloat16).requires_grad_(False)


def test_the_product_is_nearly_what_it_is_in_full() -> None:
    layer, inputs = linear(), torch.randn(3, 7, 96).to(torch.bfloat16)

    product, wanted = Float8Linear(layer)(inputs), layer(inputs)

    assert product.shape == wanted.shape
    assert product.dtype == wanted.dtype
    apart = (product.float() - wanted.float()).norm() / wanted.float().norm()
    assert 0.005 < apart < 0.06  # three bits of mantissa


def test_a_token_does_not_depend_on_its_company() -> None:
    layer = Float8Linear(linear())
    inputs = torch.randn(5, 96).to(torch.bfloat16)
    louder = torch.cat([inputs, 1000 * torch.randn(3, 96).to(torch.bfloat16)])

    assert torch.equal(layer(louder)[:5], layer(inputs))


def test_tokens_of_nothing_stay_nothing() -> None:
    assert not Float8Linear(linear())(torch.zeros(2, 96, dtype=torch.bfloat16)).any()


def test_layers_that_do_not_fit_stay_as_they_are() -> None:
    block = nn.Sequential(linear(), linear(40), linear(bias=True), nn.Sequential(linear()))

    assert use_float8(block) == 2

    assert [type(layer) for layer in block[:3]] == [Float8Linear, nn.Linear, nn.Linear]
    assert isinstance(block[3][0], Float8Linear)
