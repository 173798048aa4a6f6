"""What a run costs where that hangs on its inputs: check 62 and the rules behind it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tintype
from tintype.api.tool_item import dynamic_price
from tintype.domain.catalogue import Model, load_catalogue
from tintype.domain.errors import BadCatalogue
from tintype.domain.money import picodollars
from tintype.domain.tariff import TIER, Tariff, charge_of, tariff_for

PAGE = (Path(tintype.__file__).parent / "models" / "flux-2-flex-t2i.toml").read_text("utf-8")
FILES = """
[[parameters.items]]
id = "inputImage"
type = "multifileinput"
label = "Pictures"
"""


def priced(folder: Path, *tariffs: str) -> Model:
    """The page's model with these tariffs."""
    tables = "\n".join(f"[[dynamic_price]]\n{tariff}\n" for tariff in tariffs)
    (folder / "page.toml").write_text(PAGE + FILES + tables, "utf-8")
    return load_catalogue(folder).models[0]


def cost(*, outputs: int = 1, pixels: int = TIER, pictures: int = 0, **tariff: Any) -> Decimal:
    """What a run of a tariff costs, in dollars."""
    amount = charge_of(Tariff(**tariff), pictures=pictures).cost(outputs=outputs, pixels=pixels)
    return Decimal(amount) / 10**12


def test_a_run_may_cost_the_same_whatever_it_draws() -> None:
    assert cost(method="cpr", price="0.03", outputs=4, pixels=9 * TIER) == Decimal("0.03")


def test_each_output_may_have_a_price_and_at_least_one_is_paid() -> None:
    assert cost(method="cpo", price="0.03", outputs=3) == Decimal("0.09")
    assert cost(method="cpo", price="0.03", outputs=0) == Decimal("0.03")


@pytest.mark.parametrize(
    ("pixels", "tiers"), [(64 * 64, 1), (TIER, 1), (TIER + 1, 2), (1024 * 1536, 2), (2048 * 2048, 4)]
)
def test_pixels_are_paid_in_begun_tiers(pixels: int, tiers: int) -> None:
    assert cost(method="cp-pixel", price="0.02", pixels=pixels) == tiers * Decimal("0.02")
    assert cost(method="cp-pixel", price="0.03", extra="0.01", pixels=pixels) == Decimal("0.03") + (
        tiers - 1
    ) * Decimal("0.01")
    assert cost(method="cp-pixel", price="0.03", extra="0", input="0.005", pictures=2, pixels=pixels) == (
        Decimal("0.03") + 2 * tiers * Decimal("0.005")
    )


def test_the_first_tariff_that_fits_counts(tmp_path: Path) -> None:
    model = priced(
        tmp_path,
        'method = "cpr"\nprice = "0.05"\ninputs = { outputFormat = "png", steps = "50" }',
        'method = "cpr"\nprice = "0.04"\ninputs = { inputImage = "QUANTITY:2" }',
        'method = "cps"\nprice = "0.001"\ninputs = { guidance = "4.50" }',
    )

    def price(**inputs: Any) -> str | None:
        found = tariff_for(model.dynamic_price, inputs)
        return found.price if found else None

    assert price(outputFormat="png", steps=50) == "0.05"
    assert price(outputFormat="jpeg", steps=50, inputImage=["a", "b"]) == "0.04"
    assert price(outputFormat="png", steps=49, inputImage="a", guidance=4.5) == "0.001"
    assert price(outputFormat="png", steps=49, inputImage=None, guidance=5.0) is None


def test_check_62_the_wire_has_numbers_as_prices_and_text_as_values(tmp_path: Path) -> None:
    model = priced(
        tmp_path,
        'method = "cp-pixel"\nprice = "0.030"\nextra = "0.000000000001"\ninput = "10"\n'
        'inputs = { steps = "50" }',
        'method = "cpr"\nprice = "0.1"',
    )

    told = dynamic_price(model.dynamic_price)

    assert json.loads(told, parse_float=Decimal) == [
        {
            "inputs": {"steps": "50"},
            "price": Decimal("0.03"),
            "priceMethod": "cp-pixel",
            "priceExtra": Decimal("1E-12"),
            "priceInput": 10,
        },
        {"inputs": {}, "price": Decimal("0.1"), "priceMethod": "cpr"},
    ]
    assert picodollars("0.030") == charge_of(model.dynamic_price[0], pictures=0).price


@pytest.mark.parametrize(
    ("tariffs", "problem"),
    [
        (['method = "cpt"\nprice = "1"'], "the price method cpt makes no sense for a model that draws"),
        (['method = "cp-outputVideoLength"\nprice = "1"'], "makes no sense for a model that draws pictures"),
        (['method = "free"\nprice = "1"'], "the price method 'free' is none of cpr, cps, cpo, cp-pixel"),
        (['method = "cpr"\nprice = "1"\nextra = "1"'], "extra and input are for cp-pixel, not for cpr"),
        (['method = "cpr"\nprice = 0.1'], "Expected `str`"),
        (['method = "cpr"\nprice = "0.1 $"'], "is no price"),
        (['method = "cpr"\nprice = "inf"'], "is no price"),
        (['method = "cpr"\nprice = "1"', 'method = "cpo"\nprice = "1"'], "it would never count"),
        (['method = "cpr"\nprice = "1"\ninputs = { colour = "red" }'], "the input 'colour', which the model"),
        (['method = "cpr"\nprice = "1"\ninputs = { steps = 5 }'], "Expected `str`"),
        (['method = "cpr"\nprice = "1"\ninputs = { steps = "few" }'], "[steps] 'few', which it can never be"),
        (['method = "cpr"\nprice = "1"\ninputs = { outputFormat = "gif" }'], "which it can never be"),
        (['method = "cpr"\nprice = "1"\ninputs = { inputImage = "2" }'], "which it can never be"),
    ],
)
def test_a_tariff_that_makes_no_sense_is_refused(tmp_path: Path, tariffs: list[str], problem: str) -> None:
    with pytest.raises(BadCatalogue) as refused:
        priced(tmp_path, *tariffs)

    assert problem in str(refused.value)
