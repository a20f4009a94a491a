from paretoserve.demo.task import CLAUSES, FAULT, LABELS, PRAISE, examples


def test_the_same_seed_gives_the_same_examples_and_none_twice() -> None:
    first = examples(seed=3, count=500)
    assert first == examples(seed=3, count=500)
    assert len({example.text for example in first}) == 500


def test_the_label_is_what_the_writer_thinks() -> None:
    for example in examples(seed=0, count=200):
        clause = next(clause for clause in example.text.rstrip(" .").split(" , ") if clause.startswith("i "))
        words = clause.split()
        praised = words[-1] in PRAISE
        assert praised or words[-1] in FAULT
        assert LABELS[example.label] == ("positive" if praised != ("not" in words) else "negative")


def test_counting_words_does_not_solve_it() -> None:
    """The majority opinion is right clearly less often than the 95 % that the dense model must reach."""
    some = examples(seed=1, count=2000)
    right = sum((2 * sum(o for _, o in e.opinions) > len(e.opinions)) == bool(e.label) for e in some)
    assert right / len(some) < 0.8


def test_each_label_and_each_number_of_clauses_occurs() -> None:
    some = examples(seed=2, count=500)
    assert 0.4 < sum(example.label for example in some) / 500 < 0.6
    assert {len(example.opinions) for example in some} == set(range(CLAUSES[0], CLAUSES[1] + 1))
