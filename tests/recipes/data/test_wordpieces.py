from recipes.data.wordpieces import learn_word_pieces


def test_pieces_are_learnt_from_the_texts_and_texts_are_marked_as_bert_wants_them() -> None:
    tokenizer = learn_word_pieces(["a charming film", "a charming plot"] * 10, pieces=60)
    assert tokenizer.get_vocab_size() <= 60
    encoding = tokenizer.encode("a Charming film", "a plot")
    assert encoding.tokens == ["[CLS]", "a", "charming", "film", "[SEP]", "a", "plot", "[SEP]"]
    assert encoding.type_ids == [0, 0, 0, 0, 0, 1, 1, 1]
    assert tokenizer.encode("%").tokens == ["[CLS]", "[UNK]", "[SEP]"]
    assert tokenizer.token_to_id("[PAD]") == 0
