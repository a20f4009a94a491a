"""Whatever is wrong with what was asked for is told in a sentence, before anything is asked of AWS."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.results.errors import LoadTestError
from model_store.errors import DamagedArtifact, ParetoServeError
from paretoserve.sagemaker.deployment.asked import assignments, deployment_of
from paretoserve.sagemaker.packaging import package_for_sagemaker
from tests.paretoserve.sagemaker.deployment.account import IMAGE, asked, planned, report_for, variant

RUN = Path("run")
CHINA = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"


def refused(folder: Path, *names: str, **options: Any) -> str:
    """The sentence."""
    with pytest.raises((ParetoServeError, LoadTestError)) as caught:
        planned(folder, *names, **options)
    told = str(caught.value)
    assert told.endswith(".")
    assert "\n" not in told
    return told


@pytest.mark.parametrize("name", ["", "a_b", "-a", "a-", "a" * 64, "ä", "a b", "a\n"])
def test_names_of_endpoints(tmp_path: Path, name: str) -> None:
    assert "is no name for SageMaker; give up to 63 letters" in refused(tmp_path, endpoint=name)


@pytest.mark.parametrize(
    "role",
    [
        "",
        "sagemaker",
        "arn:aws:iam::12:role/a",
        "arn:aws:iam::123456789012:user/a",
        "arn:aws:iam::123456789012:role/a b",
    ],
)
def test_roles(tmp_path: Path, role: str) -> None:
    assert "is no ARN of a role; give one such as arn:aws" in refused(tmp_path, role=role)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_roles_of_all_partitions_are_taken(tmp_path: Path, partition: str) -> None:
    assert planned(tmp_path, role=f"arn:{partition}:iam::123456789012:role/service-role/a")


@pytest.mark.parametrize("bucket", ["", "a", "s3://models", "Models", "a..b", "a" * 64, "models/"])
def test_buckets(tmp_path: Path, bucket: str) -> None:
    assert "is no name of a bucket" in refused(tmp_path, bucket=bucket)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "paretoserve:openvino",
        "docker.io/paretoserve",
        f"{IMAGE}:{{engine}}",
        f"https://{IMAGE}",
        f"{IMAGE}@sha256:ab",
        f"{IMAGE}:" + "a" * 300,
    ],
)
def test_images(tmp_path: Path, image: str) -> None:
    assert "is no image that SageMaker can pull; give one in ECR" in refused(tmp_path, image=image)


@pytest.mark.parametrize(
    ("image", "becomes"),
    [
        (f"{IMAGE}:{{backend}}-1.2", f"{IMAGE}:python-1.2"),
        (f"{IMAGE}@sha256:{'a' * 64}", f"{IMAGE}@sha256:{'a' * 64}"),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b",
        ),
    ],
)
def test_an_image_may_have_the_engine_in_its_name(tmp_path: Path, image: str, becomes: str) -> None:
    calls = planned(tmp_path, image=image).calls
    assert [one.arguments["PrimaryContainer"]["Image"] for one in calls if one.operation == "CreateModel"] == [becomes]


@pytest.mark.parametrize("instance_type", ["", "m5.large", "ml.m5", "ml.m5.huge", "ml.m5.large ", "local"])
def test_instance_types(tmp_path: Path, instance_type: str) -> None:
    assert "is none that SageMaker's endpoints have" in refused(tmp_path, instance_type=instance_type)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ("1", "has 1 numbers for 2 candidates"),
        ("1,2,3", "has 3 numbers for 2 candidates"),
        ("1,a", "'a' is no weight"),
        ("1,", "'' is no weight"),
        ("1,-1", "'-1' is no weight; give a number from 0"),
        ("1,nan", "'nan' is no weight"),
        ("inf,1", "'inf' is no weight"),
        ("0,0", "not all of them 0"),
    ],
)
def test_weights(tmp_path: Path, weights: str, says: str) -> None:
    assert says in refused(tmp_path, "int8", "dense", weights=weights)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_instances": 2}, "belong together"),
        ({"autoscale": Path("run")}, "belong together"),
        (
            {"autoscale": RUN, "max_instances": 1, "instances": 2},
            "--max-instances 1 is less than --instances 2",
        ),
        (
            {"autoscale": RUN, "max_instances": 2, "instance_type": "ml.t2.large"},
            "does not scale ml.t2.large",
        ),
        ({"autoscale": Path("/nonexistent"), "max_instances": 2}, "There is no report at"),
        ({"region": "Ireland"}, "'Ireland' is no region of AWS"),
        ({"region": "us-east-1"}, "lies in eu-west-1 and the endpoint in us-east-1"),
        ({"tags": {"aws:a": "b"}}, "begins as only tags of AWS"),
        ({"tags": {"paretoserve:endpoint": "b"}}, "begins as only tags of AWS and of ParetoServe do"),
        ({"tags": {"a": "b" * 257}}, "'a' is no tag of AWS"),
        ({"tags": {"a<": "b"}}, "'a<' is no tag of AWS"),
        ({"tags": {str(i): "" for i in range(46)}}, "46 tags are too many"),
        ({"environment": {"a b": "c"}}, "'a b' is no name of a variable"),
        ({"environment": {"A": "x" * 1025}}, "A has 1025 characters; SageMaker takes up to 1024"),
        ({"environment": {f"A{i}": "" for i in range(101)}}, "101 variables are too many"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    assert says in refused(tmp_path, **options)


def test_a_shadow_stands_beside_a_single_candidate(tmp_path: Path) -> None:
    shadow = str(variant(tmp_path, "nas"))
    assert "beside a single other one" in refused(tmp_path, "int8", "dense", shadow=shadow)


def test_a_report_without_the_candidate_or_its_limit_is_refused(tmp_path: Path) -> None:
    other = report_for(tmp_path / "other", "dense@python")
    assert "has no candidate 'int8@python'; it has dense@python" in refused(tmp_path, autoscale=other, max_instances=2)


def test_settings_are_read_and_never_repeated_where_they_are_wrong() -> None:
    assert assignments(["A=1", "B=x=y", "C="], "--env") == {"A": "1", "B": "x=y", "C": ""}
    for texts in (["secret"], ["=secret"], ["A=secret", "A=secret"]):
        with pytest.raises(ParetoServeError, match="--env") as caught:
            assignments(texts, "--env")
        assert "secret" not in str(caught.value)


# Candidates


def test_two_of_one_name_are_told_apart_by_their_engine_or_refused(tmp_path: Path) -> None:
    mine = variant(tmp_path / "a", "int8")
    other = variant(tmp_path / "b", "int8")
    same = {"candidates": (str(mine), str(other))}
    assert "Two candidates would be called 'int8-python'" in refused(tmp_path, **same)


def test_the_engine_must_be_named(tiny_store: Path, tmp_path: Path) -> None:
    dense = tiny_store / "tiny" / "dense"
    told = refused(tmp_path, candidates=(str(dense),))
    assert "Which engine is to run" in told
    assert f"{dense}@onnxruntime" in told


def test_a_variant_goes_with_the_artifact_of_its_engine_alone(tiny_store: Path, tmp_path: Path) -> None:
    dense = tiny_store / "tiny" / "dense"
    (work := tmp_path / "work").mkdir()
    made = deployment_of(asked(tmp_path, candidates=(f"{dense}@onnxruntime", f"{dense}@torch")), work)
    assert [(one.name, one.packed.candidate) for one in made.variants] == [
        ("dense-onnxruntime", "dense@onnxruntime"),
        ("dense-torch", "dense@torch"),
    ]
    assert made.variants[0].packed.sha256 != made.variants[1].packed.sha256


def test_an_archive_is_uploaded_as_it_is_once_it_was_checked(tmp_path: Path) -> None:
    archive = package_for_sagemaker(str(variant(tmp_path, "int8")), tmp_path / "int8.tar.gz")
    (work := tmp_path / "work").mkdir()
    made = deployment_of(asked(tmp_path, candidates=(str(archive.path),)), work)
    assert (made.variants[0].packed.archive.path, made.variants[0].packed.sha256) == (archive.path, archive.sha256)
    assert made.variants[0].packed.candidate == "int8@python"


@pytest.mark.parametrize("damage", ["bytes", "hash", "empty hash"])
def test_an_archive_that_is_not_what_was_packaged_is_refused(tmp_path: Path, damage: str) -> None:
    archive = package_for_sagemaker(str(variant(tmp_path, "int8")), tmp_path / "int8.tar.gz")
    if damage == "bytes":
        archive.path.write_bytes(archive.path.read_bytes()[:-1] + b"x")
    else:
        archive.hash_file.write_text("0" * 64 if damage == "hash" else "\n")
    (work := tmp_path / "work").mkdir()
    with pytest.raises(DamagedArtifact, match="is not the one that was packaged"):
        deployment_of(asked(tmp_path, candidates=(str(archive.path),)), work)


def test_an_archive_that_s3_does_not_take_at_once_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretoserve.sagemaker.deployment.packing.MOST_BYTES", 1000)
    assert "S3 takes 0.0 at once" in refused(tmp_path)


def test_what_is_no_variant_and_no_archive_is_refused(tmp_path: Path) -> None:
    for place, text, kind in (("a", "none@openvino", "folder"), ("b", "none.tar.gz@openvino", "archive")):
        (tmp_path / place).mkdir()
        assert f"There is no {kind} '{text.removesuffix('@openvino')}'" in refused(tmp_path / place, candidates=(text,))
