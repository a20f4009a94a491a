"""Real texts, which post-training quantization measures its ranges on."""

from collections.abc import Sequence

from tokenizers import Tokenizer

from model_store.errors import DataError
from recipes.data.tokens import Packed, Text, packed, spread

# NNCF's own default; ranges of BERT activations have settled long before.
CALIBRATION_TEXTS = 300


def calibration_inputs(tokenizer: Tokenizer, texts: Sequence[Text]) -> tuple[Packed, ...]:
    """The packed inputs of some of `texts`.

    Raises:
        DataError: there are none.
    """
    if not texts:
        raise DataError("Quantization measures ranges on real texts; give data with a train split, or some texts.")
    return tuple(packed(tokenizer, text) for text in spread(texts, CALIBRATION_TEXTS))
