//! The recipes that ship with the product, on their real data.

use std::path::Path;

use causeway_jobs::{Pipeline, RunOutcome, StepStatus};

use crate::lab::{Lab, step};

#[tokio::test]
async fn nightly_runs_all_domains_and_a_second_run_does_nothing() {
    let lab = Lab::new().await;
    let recipes = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../recipes");
    let nightly = Pipeline::load(&recipes.join("nightly"), &lab.engine).unwrap();
    let first = lab.runner().run(&nightly).await.unwrap();
    let failures: Vec<_> = first.steps.iter().filter(|step| step.error.is_some()).collect();
    assert_eq!(first.outcome, RunOutcome::Succeeded, "{failures:#?}");
    assert_eq!(first.totals.rows_quarantined, 57 + 23);
    assert_eq!(step(&first, "clinical/11_lung_nutrition").rows_quarantined, Some(57));
    let statistic = "SELECT ROUND(MIN(chi_square), 4), ROUND(MAX(chi_square), 4) FROM clinical.log_rank_by_sex";
    assert_eq!(lab.query(statistic).await, "10.3267 10.3267");
    assert_eq!(lab.query("SELECT domain FROM nightly.overview ORDER BY domain").await, "clinical\ngenomic\ntraffic");
    let second = lab.runner().run(&nightly).await.unwrap();
    let busy: Vec<_> = second.steps.iter().filter(|step| step.status != StepStatus::UpToDate).collect();
    assert!(second.nothing_to_do && second.outcome == RunOutcome::Succeeded, "{busy:#?}");
    assert_eq!(second.totals.rows_out, 0);
}

#[tokio::test]
async fn every_recipe_loads_on_its_own() {
    let lab = Lab::new().await;
    let recipes = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../recipes");
    for name in ["clinical", "genomic", "traffic", "nightly"] {
        let pipeline = Pipeline::load(&recipes.join(name), &lab.engine).unwrap();
        assert_eq!(pipeline.name(), name);
    }
}
