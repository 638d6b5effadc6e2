//! Budgets, charges and results touched behind the catalog's back, found by checking its audit log.

#![expect(clippy::panic, reason = "a test that finds something else says what")]

use std::collections::BTreeMap;

use causeway_audit::Problem;
use causeway_model::{
    Amount, Budget as _, BudgetPolicy, Catalog as _, PolicyChange, ReleasedResult, Reservation, TableName,
};
use causeway_store::SqliteCatalog;

use crate::audit::{Audited, columns};
use crate::budget::new_charge;

/// A policy with a capped role, a released charge, a burned and a reserved one.
async fn spent() -> Audited {
    let audited = Audited::new(0).await;
    let catalog = SqliteCatalog::open(&audited.path()).await.unwrap();
    let input = catalog.versions(None).await.unwrap()[0].id;
    let role_caps = BTreeMap::from([("analyst".to_owned(), Amount::pure(500_000))]);
    let policy = BudgetPolicy { role_caps, ..BudgetPolicy::new(Amount::pure(1_000_000)) };
    let change = PolicyChange { actor: "admin".into(), reason: None };
    catalog.set_budget(&TableName::new("a", "t"), &policy, &change).await.unwrap();
    let mut leases = Vec::new();
    for key in ["k1", "k2", "k3"] {
        let new = new_charge(key, &[input], 100_000);
        let Reservation::Granted { lease, .. } = catalog.reserve_charge(&new, 600_000).await.unwrap() else {
            panic!("not granted")
        };
        leases.push(lease);
    }
    catalog.release_charge(&leases[0], &ReleasedResult::Inline(b"a curve".to_vec())).await.unwrap();
    catalog.burn_charge(&leases[1], "CW0203").await.unwrap();
    audited
}

#[tokio::test]
async fn an_untouched_ledger_holds() {
    let audited = spent().await;
    audited.verify(&audited.path()).await.unwrap();
}

#[tokio::test]
async fn what_is_touched_of_a_ledger_is_named() {
    let audited = spent().await;
    let spent_differs = Problem::SpentDiffers { dataset: "a.t".into() };
    for (sql, problem) in [
        ("UPDATE budget_balance SET epsilon_micro = 0 WHERE scope = ''", spent_differs.clone()),
        ("UPDATE budget_balance SET delta_femto = 1 WHERE scope = 'analyst'", spent_differs.clone()),
        ("DELETE FROM budget_balance WHERE scope = 'analyst'", spent_differs.clone()),
        ("INSERT INTO budget_balance VALUES (1, 'steward', 0, 0)", spent_differs),
        (
            "UPDATE budget_charge SET result = CAST('another' AS BLOB) WHERE id = 1",
            Problem::ReleaseChanged { charge: 1 },
        ),
        (
            "UPDATE budget_charge SET lease_token = 'mine', lease_until = 0 WHERE id = 3; \
             DELETE FROM budget_balance WHERE scope = ''",
            Problem::SpentDiffers { dataset: "a.t".into() },
        ),
    ] {
        assert_eq!(audited.after(sql).await.problem, problem, "{sql}");
    }
    let charge = |key: &str| Problem::RowChanged { table: "charge".into(), key: key.into() };
    for (sql, problem) in [
        ("UPDATE budget_charge SET epsilon_micro = 1 WHERE id = 2", charge("2")),
        ("UPDATE budget_charge SET state = 'reserved', error_code = NULL, ended_at = NULL WHERE id = 2", charge("2")),
        ("UPDATE budget_charge SET hash = 'x' WHERE id = 3", charge("3")),
        ("DELETE FROM budget_entry WHERE charge_id = 3", charge("3")),
        ("INSERT INTO budget_entry SELECT id + 0, 3 FROM budget WHERE table_name = 'curve'", charge("3")),
        (
            "DELETE FROM budget_entry WHERE charge_id = 3; DELETE FROM budget_charge WHERE id = 3",
            Problem::RowGone { table: "charge".into(), key: "3".into() },
        ),
        (
            "INSERT INTO budget_charge SELECT 4, 'forged', question, actor, roles, run, operator, parameters, inputs, \
             mechanism, epsilon_micro, delta_femto, unit, rows_per_unit, adjacency, is_sound, state, n_takeovers, \
             lease_token, lease_until, result, result_location, result_digest, result_bytes, error_code, reserved_at, \
             ended_at, previous_hash, hash FROM budget_charge WHERE id = 1",
            Problem::RowUnrecorded { table: "charge".into(), key: "4".into() },
        ),
        (
            "UPDATE budget SET policy = replace(policy, '1000000', '9000000') WHERE table_name = 't'",
            Problem::RowChanged { table: "budget".into(), key: "1".into() },
        ),
        (
            "UPDATE budget SET policy = NULL, changed_at = NULL WHERE table_name = 't'",
            Problem::RowGone { table: "budget".into(), key: "1".into() },
        ),
        (
            "INSERT INTO budget VALUES (9, 'b', 't', '{\"cap\":{\"epsilon_micro\":1}}', 1, 0)",
            Problem::RowUnrecorded { table: "budget".into(), key: "9".into() },
        ),
    ] {
        if sql.contains("'curve'") {
            // Another account for the charge to be put on.
            let sql = format!("INSERT INTO budget (schema_name, table_name) VALUES ('a', 'curve'); {sql}");
            assert_eq!(audited.after(&sql).await.problem, problem, "{sql}");
            continue;
        }
        assert_eq!(audited.after(sql).await.problem, problem, "{sql}");
    }
}

/// What may change without a record: who holds a charge. Balances and results are found otherwise.
const FREE: [&str; 3] = ["lease_token", "lease_until", "result"];

#[tokio::test]
async fn every_column_of_a_charge_counts() {
    let audited = spent().await;
    for (column, kind) in columns(&audited.path(), "budget_charge").await {
        if FREE.contains(&column.as_str()) {
            continue;
        }
        let changed = match kind.as_str() {
            "INTEGER" => format!("COALESCE({column}, 0) + 1000"),
            _ => format!("COALESCE({column}, '') || 'x'"),
        };
        let sql =
            format!("PRAGMA ignore_check_constraints = on; UPDATE budget_charge SET {column} = {changed} WHERE id = 1");
        let finding = audited.after(&sql).await;
        let is_found = matches!(finding.problem, Problem::RowChanged { .. } | Problem::RowGone { .. });
        assert!(is_found, "{sql}: {finding}");
    }
}

/// Without an audit log the ledger is checked all the same.
#[tokio::test]
async fn a_ledger_is_checked_without_a_log() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    for key in ["k1", "k2"] {
        catalog.reserve_charge(&new_charge(key, &[], 100_000), 600_000).await.unwrap();
    }
    assert!(catalog.check().await.unwrap().contains("2 privacy charges"));
    for (sql, expected) in [
        ("UPDATE budget_charge SET epsilon_micro = 1 WHERE id = 1", "charge 1 "),
        ("UPDATE budget_charge SET epsilon_micro = 100000, previous_hash = 'x' WHERE id = 1", "charge 1 "),
        ("DELETE FROM budget_charge WHERE id = 1", "charge 2 "),
    ] {
        assert!(crate::audit::query(&path, sql).await > 0);
        let error = catalog.check().await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("as it was written"), "{error}");
    }
}
