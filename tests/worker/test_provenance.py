"""What the pictures of a worker say about themselves, and that they are signed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certificates import write_credentials
from tintype.engine.images.inspection import inspect
from tintype.engine.images.signing import Signer, open_signer
from tintype.worker.provenance import Provenance

from .workshop import Workshop

pytestmark = pytest.mark.anyio


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    files = write_credentials(tmp_path)
    return open_signer(certificate=files.certificate, key=files.key)


@pytest.mark.parametrize("output_format", ["png", "jpeg"])
async def test_every_picture_is_signed(workshop: Workshop, signer: Signer, output_format: str) -> None:
    async with workshop.working(provenance=Provenance(signer=signer)):
        ended = await workshop.ends(await workshop.run(outputFormat=output_format))

    found = inspect(await workshop.picture(ended))
    assert found.signature is not None
    assert found.signature.verdict == "valid"
    assert found.metadata is not None
    assert found.metadata["inputs"]["prompt"] == "a red kite"
    assert ended.outputs[0].size == len(await workshop.picture(ended))


async def test_what_cannot_be_signed_is_not_stored(workshop: Workshop, signer: Signer) -> None:
    signer.expires = datetime.now(UTC) - timedelta(seconds=1)

    async with workshop.working(provenance=Provenance(signer=signer)):
        ended = await workshop.ends(await workshop.run())

    assert (ended.exit_code, ended.debug_error) == (1, "The picture could not be signed.")
    assert ended.outputs == ()
    assert workshop.stored() == []


async def test_an_operator_can_keep_prompts_out_of_pictures(workshop: Workshop) -> None:
    async with workshop.working(provenance=Provenance(metadata="minimal")):
        ended = await workshop.ends(await workshop.run("my secret garden"))

    picture = await workshop.picture(ended)
    assert b"secret" not in picture
    assert inspect(picture).digital_source_type.endswith("/trainedAlgorithmicMedia")
    assert (await workshop.look(ended)).parameters["prompt"] == "my secret garden"
