"""Other servers, measured beside ours: same artifact, engine, tokenizer, sentences, cores and client."""
