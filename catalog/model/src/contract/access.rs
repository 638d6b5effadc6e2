//! Users, roles, grants and row policies.

use std::collections::BTreeSet;

use super::fixtures::*;
use crate::{
    AccessChange, BUILT_IN, Catalog, Grant, PrincipalKind, Privilege, ReadableColumns, RowPolicy, Securable,
    StepOutcome, TableName,
};

fn lung() -> TableName {
    TableName::new("clinical", "lung")
}

fn grant(grantee: &str, privilege: Privilege, on: Securable, column: Option<&str>) -> Grant {
    Grant { grantee: grantee.to_owned(), privilege, on, column: column.map(str::to_owned) }
}

fn policy(name: &str, grantee: &str) -> RowPolicy {
    RowPolicy {
        table: lung(),
        name: name.to_owned(),
        grantee: grantee.to_owned(),
        condition: "site = 1".to_owned(),
        restrictive: false,
    }
}

fn user(name: &str) -> AccessChange {
    AccessChange::Create(PrincipalKind::User, name.to_owned())
}

fn role(name: &str) -> AccessChange {
    AccessChange::Create(PrincipalKind::Role, name.to_owned())
}

fn join(role: &str, member: &str) -> AccessChange {
    AccessChange::Join { role: role.to_owned(), member: member.to_owned() }
}

/// Makes changes by one step, as a statement does.
async fn change(catalog: &dyn Catalog, number: u8, access: Vec<AccessChange>) -> crate::Result<()> {
    let run = new_run(number);
    catalog.begin_run(&run).await.unwrap();
    let step = catalog.begin_step(&new_step(number, "grant")).await.unwrap();
    catalog.complete_step(step.id, step.attempt, &StepOutcome { access, ..StepOutcome::default() }).await.map(|_| ())
}

pub async fn the_built_in_roles_are_there(catalog: &dyn Catalog) {
    let principals = catalog.principals().await.unwrap();
    let names: Vec<&str> = principals.iter().map(|principal| principal.name.as_str()).collect();
    assert_eq!(names, BUILT_IN);
    assert!(principals.iter().all(|one| one.kind == PrincipalKind::Role && one.member_of.is_empty()));
    assert!(catalog.grants().await.unwrap().is_empty());
    assert_eq!(catalog.rights("admin").await.unwrap(), None, "a role is no user");
}

pub async fn rights_come_through_roles_of_roles(catalog: &dyn Catalog) {
    let read = grant("hospital", Privilege::Select, Securable::Schema("clinical".to_owned()), None);
    let call = grant("public", Privilege::Execute, Securable::Operator("kaplan_meier".to_owned()), None);
    let other = grant("bob", Privilege::Select, Securable::Table(lung()), Some("age"));
    let changes = vec![
        user("alice"),
        user("bob"),
        role("hospital"),
        role("ward"),
        join("hospital", "ward"),
        join("ward", "alice"),
        AccessChange::Grant(read.clone()),
        AccessChange::Grant(call.clone()),
        AccessChange::Grant(other.clone()),
    ];
    change(catalog, 1, changes).await.unwrap();
    let alice = catalog.rights("alice").await.unwrap().unwrap();
    assert_eq!(alice.roles, ["alice", "hospital", "public", "ward"].map(str::to_owned).into());
    assert_eq!(alice.grants, BTreeSet::from([read.clone(), call.clone()]));
    assert_eq!(alice.readable(&lung()), ReadableColumns::All);
    let bob = catalog.rights("bob").await.unwrap().unwrap();
    assert_eq!(bob.readable(&lung()), ReadableColumns::Some(["age".to_owned()].into()));
    assert_eq!(catalog.grants().await.unwrap(), [other, read, call]);
    assert_eq!(catalog.rights("nobody").await.unwrap(), None);
}

pub async fn what_is_revoked_or_left_is_gone(catalog: &dyn Catalog) {
    let read = grant("ward", Privilege::Select, Securable::Table(lung()), None);
    let given = vec![user("alice"), role("ward"), join("ward", "alice"), AccessChange::Grant(read.clone())];
    change(catalog, 1, given).await.unwrap();
    change(catalog, 2, vec![AccessChange::Revoke(read.clone())]).await.unwrap();
    assert!(catalog.rights("alice").await.unwrap().unwrap().grants.is_empty());
    let again = change(catalog, 3, vec![AccessChange::Revoke(read)]).await.unwrap_err();
    assert!(matches!(again, crate::CatalogError::NotFound { .. }), "{again}");
    let leave = AccessChange::Leave { role: "ward".to_owned(), member: "alice".to_owned() };
    change(catalog, 4, vec![leave.clone()]).await.unwrap();
    assert!(!catalog.rights("alice").await.unwrap().unwrap().has_role("ward"));
    change(catalog, 5, vec![leave]).await.unwrap_err();
}

pub async fn a_grant_given_twice_is_there_once(catalog: &dyn Catalog) {
    let read = grant("public", Privilege::Select, Securable::Table(lung()), None);
    let twice = vec![AccessChange::Grant(read.clone()), AccessChange::Grant(read.clone())];
    change(catalog, 1, twice).await.unwrap();
    assert_eq!(catalog.grants().await.unwrap(), [read]);
}

pub async fn a_name_is_taken_once(catalog: &dyn Catalog) {
    change(catalog, 1, vec![user("alice")]).await.unwrap();
    let error = change(catalog, 2, vec![role("alice")]).await.unwrap_err();
    assert!(matches!(error, crate::CatalogError::AlreadyExists { .. }), "{error}");
    assert_eq!(catalog.principals().await.unwrap().len(), BUILT_IN.len() + 1);
}

pub async fn a_dropped_user_leaves_no_right_and_opens_no_table(catalog: &dyn Catalog) {
    let read = grant("alice", Privilege::Select, Securable::Table(lung()), None);
    let given = vec![
        user("alice"),
        join("auditor", "alice"),
        AccessChange::Grant(read),
        AccessChange::AddPolicy(policy("mine", "alice")),
    ];
    change(catalog, 1, given).await.unwrap();
    let dropped = AccessChange::Drop(PrincipalKind::User, "alice".to_owned());
    change(catalog, 2, vec![dropped.clone()]).await.unwrap();
    assert_eq!(catalog.rights("alice").await.unwrap(), None);
    assert!(catalog.grants().await.unwrap().is_empty());
    assert_eq!(catalog.row_policies(None).await.unwrap(), [policy("mine", "alice")]);
    change(catalog, 3, vec![user("alice")]).await.unwrap();
    assert!(!catalog.rights("alice").await.unwrap().unwrap().has_role("auditor"));
    change(catalog, 4, vec![AccessChange::Drop(PrincipalKind::Role, "alice".to_owned())]).await.unwrap_err();
}

pub async fn policies_are_kept_by_table(catalog: &dyn Catalog) {
    let elsewhere = RowPolicy { table: TableName::new("traffic", "loops"), restrictive: true, ..policy("b", "public") };
    let added = [policy("a", "public"), policy("a", "ward"), elsewhere.clone()];
    change(catalog, 1, added.iter().cloned().map(AccessChange::AddPolicy).collect()).await.unwrap();
    assert_eq!(catalog.row_policies(Some(&lung())).await.unwrap(), added[..2]);
    assert_eq!(catalog.row_policies(None).await.unwrap(), added);
    change(catalog, 2, vec![AccessChange::AddPolicy(policy("a", "ward"))]).await.unwrap_err();
    change(catalog, 3, vec![AccessChange::DropPolicy { table: lung(), name: "a".to_owned() }]).await.unwrap();
    assert_eq!(catalog.row_policies(None).await.unwrap(), [elsewhere]);
}

pub async fn rights_on_a_dropped_table_do_not_come_back(catalog: &dyn Catalog) {
    let run = new_run(1);
    catalog.begin_run(&run).await.unwrap();
    let step = catalog.begin_step(&new_step(1, "make")).await.unwrap();
    let read = grant("public", Privilege::Select, Securable::Table(lung()), None);
    let schema = grant("public", Privilege::Select, Securable::Schema("clinical".to_owned()), None);
    let outcome = StepOutcome {
        access: vec![
            AccessChange::Grant(read.clone()),
            AccessChange::Grant(schema.clone()),
            AccessChange::AddPolicy(policy("a", "public")),
        ],
        ..writes(vec![table("clinical.lung", 0, &["x"])])
    };
    let made = catalog.complete_step(step.id, 1, &outcome).await.unwrap();
    let dataset = catalog.version_by_id(made[0]).await.unwrap().dataset;
    let step = catalog.begin_step(&new_step(1, "drop")).await.unwrap();
    let drop = StepOutcome { dropped: vec![dataset], ..StepOutcome::default() };
    catalog.complete_step(step.id, 1, &drop).await.unwrap();
    assert_eq!(catalog.grants().await.unwrap(), [schema]);
    assert!(catalog.row_policies(None).await.unwrap().is_empty());
}

pub async fn a_failed_change_changes_nothing(catalog: &dyn Catalog) {
    change(catalog, 1, vec![user("alice"), user("alice")]).await.unwrap_err();
    assert_eq!(catalog.rights("alice").await.unwrap(), None);
}

pub async fn a_run_names_its_actor(catalog: &dyn Catalog) {
    let run = crate::NewRun { actor: "alice".to_owned(), ..new_run(1) };
    catalog.begin_run(&run).await.unwrap();
    assert_eq!(catalog.run(&run.id).await.unwrap().actor, "alice");
}
