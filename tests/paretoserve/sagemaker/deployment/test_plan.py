"""The calls for an endpoint, which are found without asking AWS."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from model_store.errors import ParetoServeError
from paretoserve.sagemaker.deployment.calls import Call, as_json, secrets_in
from paretoserve.sagemaker.deployment.plan import Plan
from tests.paretoserve.sagemaker.deployment.account import IMAGE, planned, report_for, variant


@pytest.fixture(scope="module")
def session() -> Any:
    return botocore.session.get_session()


def arguments(plan: Plan, operation: str) -> list[dict[str, Any]]:
    return [dict(call.arguments) for call in plan.calls if call.operation == operation]


def problems(session: Any, call: Call) -> str:
    """What boto3's own model of the API has against a call."""
    model = session.get_service_model(call.service).operation_model(call.operation)
    body = {"Body": b""} if call.operation == "PutObject" else {}
    return str(ParamValidator().validate({**call.arguments, **body}, model.input_shape).generate_report())


def test_every_call_is_one_of_the_api_with_arguments_that_it_takes(session: Any, tmp_path: Path) -> None:
    report = report_for(tmp_path / "run", "int8@python")
    plan = planned(
        tmp_path, "int8", shadow=str(variant(tmp_path, "dense")), autoscale=report, max_instances=3, tags={"team": "x"}
    )
    taken_back = [step.undo for step in (*plan.steps, *plan.scaling) if step.undo]
    for call in (*plan.calls, *taken_back):
        assert problems(session, call) == "", call.operation
    assert problems(session, Call("sagemaker", "CreateModel", {"Modelname": "a"})) != ""


def test_each_step_that_makes_something_has_one_that_removes_it(tmp_path: Path) -> None:
    plan = planned(tmp_path, "int8")
    pairs = [(step.call.operation, step.undo.operation) for step in plan.steps if step.undo]
    assert pairs == [
        ("PutObject", "DeleteObject"),
        ("CreateModel", "DeleteModel"),
        ("CreateEndpointConfig", "DeleteEndpointConfig"),
        ("CreateEndpoint", "DeleteEndpoint"),
    ]


def test_a_candidate_is_a_variant_with_its_weight_and_instances(tmp_path: Path) -> None:
    (made,) = arguments(planned(tmp_path, "int8", "dense", weights="9, 1", instances=2), "CreateEndpointConfig")
    fixed = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    assert made["ProductionVariants"] == [
        {"VariantName": "int8", "ModelName": "sst2-int8", "InitialVariantWeight": 9.0, **fixed},
        {"VariantName": "dense", "ModelName": "sst2-dense", "InitialVariantWeight": 1.0, **fixed},
    ]
    assert "ShadowProductionVariants" not in made


def test_a_shadow_variant_gets_its_share_and_does_not_scale(tmp_path: Path) -> None:
    report = report_for(tmp_path / "run", "int8@python")
    shadow = str(variant(tmp_path, "dense"))
    plan = planned(tmp_path, "int8", shadow=shadow, shadow_share=0.5, autoscale=report, max_instances=2)
    (made,) = arguments(plan, "CreateEndpointConfig")
    (one,) = made["ShadowProductionVariants"]
    assert (one["VariantName"], one["InitialVariantWeight"]) == ("dense", 0.5)
    assert [one["VariantName"] for one in made["ProductionVariants"]] == ["int8"]
    assert [one["ResourceId"] for one in arguments(plan, "RegisterScalableTarget")] == ["endpoint/sst2/variant/int8"]


def test_scaling_tracks_half_of_what_the_report_measured_and_names_the_report(tmp_path: Path) -> None:
    report = report_for(tmp_path / "run", "int8@python")
    plan = planned(tmp_path, "int8", autoscale=report, instances=2, max_instances=8)
    (target,) = arguments(plan, "RegisterScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)
    (policy,) = arguments(plan, "PutScalingPolicy")
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
    }
    # 16 users are the lower end of its bracket, with 122.8 answers a second; half of that, a minute.
    assert tracked["TargetValue"] == pytest.approx(122.8 * 0.5 * 60, rel=0.01)
    (endpoint,) = arguments(plan, "CreateEndpoint")
    tags = {tag["Key"]: tag["Value"] for tag in endpoint["Tags"]}
    assert "run/report.json@sha256:" in tags["paretoserve:scaled-by"]


def test_a_container_is_told_its_engine_and_the_settings_that_were_measured(tmp_path: Path) -> None:
    report = report_for(tmp_path / "run", "int8@python")
    plan = planned(tmp_path, "int8", autoscale=report, max_instances=2, environment={"PARETOSERVE_MAX_QUEUE": "9"})
    (made,) = arguments(plan, "CreateModel")
    assert made["PrimaryContainer"]["Image"] == f"{IMAGE}:own"
    assert made["PrimaryContainer"]["Environment"] == {
        "PARETOSERVE_VARIANT": "/opt/ml/model",
        "PARETOSERVE_QUEUE_DEADLINE": "0.1",
        "PARETOSERVE_MAX_QUEUE": "9",
    }


def test_all_that_is_made_has_the_tags(tmp_path: Path) -> None:
    plan = planned(tmp_path, "int8", tags={"team": "search"})
    tagged = [call.arguments["Tags"] for call in plan.calls if "Tags" in call.arguments]
    assert len(tagged) == 3
    for tags in tagged:
        assert {"Key": "team", "Value": "search"} in tags
        assert {"Key": "paretoserve:endpoint", "Value": "sst2"} in tags


def test_the_same_variant_gives_the_same_calls(tmp_path: Path) -> None:
    texts = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        texts.append(as_json(planned(tmp_path / place, "int8").calls).replace(f"/{place}/", "/"))
    assert texts[0] == texts[1]


def test_what_may_be_secret_is_not_printed(tmp_path: Path) -> None:
    hidden = {"HF_TOKEN": "abc", "MY_SETTING": "def", "PARETOSERVE_API_KEY": "ghi"}
    plan = planned(tmp_path, environment={**hidden, "PARETOSERVE_MAX_QUEUE": "64", "EMPTY": ""})
    text = as_json(plan.calls)
    (model,) = (call for call in json.loads(text) if call["operation"] == "CreateModel")
    shown = model["arguments"]["PrimaryContainer"]["Environment"]
    assert shown == {
        "PARETOSERVE_VARIANT": "/opt/ml/model",
        "PARETOSERVE_MAX_QUEUE": "64",
        **dict.fromkeys((*hidden, "EMPTY"), "***"),
    }
    (made,) = arguments(plan, "CreateModel")
    assert {name: made["PrimaryContainer"]["Environment"][name] for name in hidden} == hidden, "AWS is told"
    assert set(secrets_in(made)) == set(hidden.values())


def test_names_that_together_are_too_long_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParetoServeError, match=r"The model 'eee.*-vvvv.*' is no name for SageMaker"):
        planned(tmp_path, "v" * 40, endpoint="e" * 40)
