import numpy as np

from handlers.speed import CALL_TOKENS, CALLS, mixed_calls
from handlers.tokens.tokenizer import TextTokenizer


def test_calls_have_texts_of_all_lengths_and_about_as_many_tokens(tokenizer: TextTokenizer) -> None:
    lengths = [3, 9, 20, 40]
    calls = mixed_calls(tokenizer, lengths)
    assert len(calls) == CALLS
    assert [sum(map(len, texts)) for texts in calls] == [CALL_TOKENS] * CALLS
    assert set(lengths) <= {len(text) for texts in calls for text in texts}
    assert len({tuple(map(len, texts)) for texts in calls}) > 1, "calls that are repeated exactly are faster"


def test_texts_are_no_longer_than_the_model_reads(tokenizer: TextTokenizer) -> None:
    for texts in mixed_calls(tokenizer, [500]):
        assert {len(text) for text in texts} == {tokenizer.max_tokens}
        assert all(text.input_ids.dtype == np.int64 for text in texts)
