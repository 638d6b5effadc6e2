//! What events say.

use causeway_model::{DatasetVersion, EdgeKind, Run, RunKind, Step, StepState, TableName, VersionId};
use causeway_openlineage::{DatasetRecord, Places, RunRecord, StepRecord, Subject, Transition};
use serde_json::{Value, json};

use crate::fixtures::*;

fn names(event: &Value, side: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let datasets = event[side].as_array().unwrap().iter();
    datasets.map(|dataset| (text(&dataset["namespace"]), text(&dataset["name"]))).collect()
}

fn pair(namespace: &str, name: &str) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

#[test]
fn a_run_is_the_pipeline_s_job() {
    let event = event(Subject::Run(&run()), Transition::Complete);
    assert_eq!(event["run"]["runId"], RUN);
    assert_eq!(event["eventType"], "COMPLETE");
    assert_eq!(event["eventTime"], "2026-05-04T03:00:09.500Z");
    assert_eq!((&event["job"]["namespace"], &event["job"]["name"]), (&json!("causeway"), &json!("clinical")));
    assert_eq!(event["run"]["facets"]["processing_engine"]["version"], "0.1.0");
    assert_eq!(event["run"]["facets"]["nominalTime"]["nominalStartTime"], "2026-05-04T03:00:00Z");
    assert_eq!(event["run"]["facets"].get("parent"), None);
}

#[test]
fn a_step_is_a_job_and_a_run_of_its_own_below_the_pipeline_s() {
    let event = step_event(&curve_step(), Transition::Start);
    assert_eq!(event["job"]["name"], "clinical.curve");
    assert_ne!(event["run"]["runId"], RUN);
    let parent = &event["run"]["facets"]["parent"];
    assert_eq!(parent["run"]["runId"], RUN);
    assert_eq!(parent["job"], json!({"namespace": "causeway", "name": "clinical"}));
    assert_eq!(event["eventTime"], "2026-05-04T03:00:04.100Z");
    assert_eq!(event["job"]["facets"]["sql"]["query"], curve_step().step.sql);
}

#[test]
fn a_typed_statement_is_a_job_too() {
    let mut record = curve_step();
    record.run =
        RunRecord { run: Run { kind: RunKind::Statement, pipeline: None, ..record.run.run }, nominal_time: None };
    record.step.name = "create_table".into();
    let event = step_event(&record, Transition::Start);
    assert_eq!(event["job"]["name"], "statement.create_table");
    assert_eq!(event["run"]["facets"]["parent"]["job"]["name"], "statement");
    assert_eq!(event["run"]["facets"].get("nominalTime"), None);
}

#[test]
fn datasets_are_named_by_where_they_lie_and_linked_to_what_we_call_them() {
    let event = step_event(&curve_step(), Transition::Complete);
    let inputs = [pair("s3://hospital", "lake/clinical/lung"), pair("file", "/srv/project/data/codes.csv")];
    assert_eq!(names(&event, "inputs"), inputs);
    assert_eq!(names(&event, "outputs"), [pair("s3://hospital", "lake/clinical/curve")]);
    let identifier = json!([{"namespace": "causeway", "name": "clinical.lung", "type": "TABLE"}]);
    assert_eq!(event["inputs"][0]["facets"]["symlinks"]["identifiers"], identifier);
    assert_eq!(event["inputs"][1]["facets"].get("symlinks"), None);
    assert_eq!(event["inputs"][0]["facets"]["version"]["datasetVersion"], "4");
    assert_eq!(event["outputs"][0]["facets"]["version"]["datasetVersion"], "7");
}

#[test]
fn a_schema_says_type_meaning_unit_and_position() {
    let event = step_event(&curve_step(), Transition::Start);
    let fields = &event["inputs"][0]["facets"]["schema"]["fields"];
    let time = json!({
        "name": "time",
        "type": "BIGINT",
        "description": "survival or follow-up; unit: days",
        "ordinal_position": 1
    });
    assert_eq!(fields[0], time);
    assert_eq!(fields[2], json!({"name": "sex", "type": "VARCHAR", "ordinal_position": 3}));
}

#[test]
fn outputs_lineage_and_statistics_come_with_success_alone() {
    for transition in [Transition::Start, Transition::Fail, Transition::Abort] {
        assert_eq!(step_event(&curve_step(), transition)["outputs"], json!([]));
    }
    let output = &step_event(&curve_step(), Transition::Complete)["outputs"][0];
    let statistics = &output["outputFacets"]["outputStatistics"];
    assert_eq!([&statistics["rowCount"], &statistics["size"], &statistics["fileCount"]], [12, 9_120, 1]);
    let lineage = &output["facets"]["columnLineage"];
    assert_eq!(lineage["fields"].as_object().unwrap().len(), 3);
    assert_eq!(lineage["dataset"].as_array().unwrap().len(), 2);
    let survival = &lineage["fields"]["survival"]["inputFields"];
    assert_eq!(survival[1]["transformations"], json!([{"type": "DIRECT", "subtype": "AGGREGATION", "masking": true}]));
    assert_eq!(survival[0]["transformations"][0]["type"], "INDIRECT");
}

#[test]
fn bytes_and_files_are_not_told_of_rows_added_to_others() {
    let mut record = curve_step();
    record.outputs[0].version.n_rows = Some(500);
    let event = step_event(&record, Transition::Complete);
    let statistics = event["outputs"][0]["outputFacets"]["outputStatistics"].as_object().unwrap().clone();
    assert_eq!(statistics["rowCount"], 12);
    assert!(!statistics.contains_key("size") && !statistics.contains_key("fileCount"));
}

#[test]
fn a_quarantine_has_its_own_count_and_removed_rows_are_no_rows_written() {
    let mut record = curve_step();
    let mut quarantine = DatasetRecord { version: version(48, 5, 0, Vec::new()), ..curve() };
    quarantine.dataset.name = TableName::new("clinical", "curve_quarantine");
    record.outputs.push(quarantine);
    record.step.rows_quarantined = Some(3);
    let counts = |record: &StepRecord| {
        let event = step_event(record, Transition::Complete);
        [0, 1].map(|idx| event["outputs"][idx]["outputFacets"]["outputStatistics"]["rowCount"].clone())
    };
    assert_eq!(counts(&record), [json!(12), json!(3)]);
    record.outputs[1].dataset.name = TableName::new("clinical", "other");
    assert_eq!(counts(&record), [Value::Null, Value::Null]);
    record.outputs.pop();
    record.step.kind = "delete".into();
    assert_eq!(counts(&record)[0], Value::Null);
}

#[test]
fn kept_rows_come_from_the_version_before() {
    let mut record = curve_step();
    let before =
        DatasetRecord { version: DatasetVersion { id: VersionId(46), version: 6, ..curve().version }, ..curve() };
    record.origins.push(before);
    record.edges.push(edge(Some("sex"), 46, "sex", EdgeKind::Identity));
    let event = step_event(&record, Transition::Complete);
    let sources = &event["outputs"][0]["facets"]["columnLineage"]["fields"]["sex"]["inputFields"];
    assert_eq!(sources[1]["name"], "lake/clinical/curve");
    assert_eq!(event["inputs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_check_is_an_assertion_about_what_it_reads() {
    let event = step_event(&check_step(None), Transition::Complete);
    assert_eq!(event["job"]["name"], "clinical.curve check 1");
    assert_eq!(event["job"]["facets"]["jobType"]["jobType"], "CHECK");
    for input in event["inputs"].as_array().unwrap() {
        let assertions = json!([{
            "assertion": "custom_sql",
            "success": true,
            "severity": "error",
            "name": "curve check 1",
            "content": "SELECT count(*) = 228 FROM clinical.lung",
            "contentType": "sql"
        }]);
        assert_eq!(input["inputFacets"]["dataQualityAssertions"]["assertions"], assertions);
    }
    assert_eq!(names(&event, "inputs")[1], pair("causeway", "clinical.adults"));
}

#[test]
fn a_check_that_fails_says_so_and_one_that_cannot_be_answered_says_nothing() {
    let failed = step_event(&check_step(Some(("CW0608", "check 1 is false"))), Transition::Fail);
    let assertion = &failed["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0];
    assert_eq!(assertion["success"], false);
    assert_eq!(failed["run"]["facets"]["errorMessage"]["message"], "CW0608: check 1 is false");
    let unanswered = step_event(&check_step(Some(("CW0103", "no such table"))), Transition::Fail);
    assert_eq!(unanswered["inputs"][0].get("inputFacets"), None);
    let mut warning = check_step(None);
    warning.blocking = Some(false);
    let event = step_event(&warning, Transition::Complete);
    assert_eq!(event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0]["severity"], "warn");
    assert_eq!(step_event(&warning, Transition::Start)["inputs"][0].get("inputFacets"), None);
}

#[test]
fn an_error_is_told_with_its_code_and_only_of_what_failed() {
    let record = failed_step();
    let message = |transition| {
        step_event(&record, transition)["run"]["facets"]["errorMessage"]["message"].as_str().map(str::to_owned)
    };
    assert_eq!(message(Transition::Fail).as_deref(), Some("CW0202: the memory limit of 512 MiB is reached"));
    assert_eq!(message(Transition::Abort), message(Transition::Fail));
    assert_eq!(message(Transition::Start), None);
}

#[test]
fn statements_can_be_left_out() {
    let emitter = emitter().without_sql();
    for (record, transition) in [(curve_step(), Transition::Complete), (check_step(None), Transition::Complete)] {
        let body = emitter.event(Subject::Step(&record), transition).unwrap().body;
        assert!(!body.contains("SELECT"), "{body}");
    }
}

#[test]
fn an_event_is_the_same_each_time_and_no_two_are() {
    let emitter = emitter();
    let mut ids = Vec::new();
    let mut again = curve_step();
    again.step.attempt = 2;
    for transition in Transition::ALL {
        for subject in [Subject::Run(&run()), Subject::Step(&curve_step()), Subject::Step(&again)] {
            let event = emitter.event(subject, transition).unwrap();
            assert_eq!(event, emitter.event(subject, transition).unwrap());
            assert!(!event.body.contains('\n'));
            assert!(!ids.contains(&event.id));
            ids.push(event.id);
        }
    }
    assert_eq!(ids.len(), 12);
}

#[test]
fn a_retry_is_another_run_of_the_same_job() {
    let mut again = curve_step();
    again.step.attempt = 2;
    let (first, second) = (step_event(&curve_step(), Transition::Start), step_event(&again, Transition::Start));
    assert_ne!(first["run"]["runId"], second["run"]["runId"]);
    assert_eq!(first["job"], second["job"]);
}

#[test]
fn records_that_do_not_hold_together_make_no_event() {
    let refused = |record: &StepRecord, transition| {
        let error = emitter().event(Subject::Step(record), transition).unwrap_err();
        assert_eq!(error.code(), "CW0901");
        assert!(error.concerns_one_event() && !error.retryable());
        error.to_string()
    };
    let mut unended = curve_step();
    unended.step.finished_at = None;
    assert!(refused(&unended, Transition::Abort).contains("it has no end, so ABORT has no time"));
    let mut unknown = curve_step();
    unknown.edges.push(edge(Some("sex"), 99, "sex", EdgeKind::Identity));
    assert!(refused(&unknown, Transition::Complete).contains("version 99"));
    let mut lost = curve_step();
    lost.edges[0].output = 3;
    assert!(refused(&lost, Transition::Complete).contains("output 3 of 1"));
    let mut other = curve_step();
    other.run.run.id.0 = "run-1".into();
    assert!(refused(&other, Transition::Start).contains("no UUID"));
}

#[test]
fn states_are_transitions() {
    let of = |state, code: Option<&str>| {
        Transition::of_step(&Step { state, error_code: code.map(Into::into), ..step() }).map(Transition::name)
    };
    assert_eq!(of(StepState::Running, None), Some("START"));
    assert_eq!(of(StepState::Succeeded, None), Some("COMPLETE"));
    assert_eq!(of(StepState::Failed, Some("CW0202")), Some("FAIL"));
    assert_eq!(of(StepState::Failed, Some("CW0204")), Some("ABORT"));
    assert_eq!(of(StepState::Blocked, None), Some("ABORT"));
    assert_eq!(of(StepState::UpToDate, None), None);
    for transition in Transition::ALL {
        assert_eq!(Transition::from_name(transition.name()), Some(transition));
    }
}

#[test]
fn passwords_in_places_stay_out_of_events() {
    let mut record = curve_step();
    record.inputs[1].dataset.location = "postgres://user:hunter2@db/ward/public/codes".into();
    let event = step_event(&record, Transition::Complete);
    assert_eq!(names(&event, "inputs")[1], pair("postgres://db:5432", "ward.public.codes"));
    assert!(!event.to_string().contains("hunter2"));
    assert!(Places::new("s3://", "/srv", "causeway").is_err());
}
