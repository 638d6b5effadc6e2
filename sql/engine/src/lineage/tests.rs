//! The cases of `cases.txt`, and the nodes that SQL does not reach.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use causeway_core::{ColumnOrigin, Transformation};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::common::{DFSchema, DFSchemaRef, JoinType};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNode, UserDefinedLogicalNodeCore, col, lit,
};
use datafusion::prelude::SessionContext;

use super::{ExtensionLineage, Origin, OriginSource, PlanLineage, plan_lineage};

struct Case {
    title: String,
    sql: String,
    expected: String,
}

/// Cases stand in blocks: `# title`, the statement, then indented lines of what is expected.
fn cases() -> Vec<Case> {
    include_str!("cases.txt")
        .split("\n\n")
        .filter(|block| block.lines().any(|line| line.starts_with("  ")))
        .map(case)
        .collect()
}

fn case(block: &str) -> Case {
    let mut case = Case { title: String::new(), sql: String::new(), expected: String::new() };
    for line in block.lines() {
        let part = match line {
            _ if line.starts_with('#') => &mut case.title,
            _ if line.starts_with("  ") => &mut case.expected,
            _ => &mut case.sql,
        };
        part.push_str(line);
        part.push('\n');
    }
    case
}

/// Prints a lineage as the cases write it.
fn printed(lineage: &PlanLineage) -> String {
    let mut text = String::new();
    for (name, origins) in &lineage.columns {
        line(&mut text, name, origins);
    }
    if !lineage.indirect.is_empty() {
        line(&mut text, "*", &lineage.indirect);
    }
    text
}

fn line(text: &mut String, name: &str, origins: &BTreeSet<Origin>) {
    let listed: Vec<String> = origins.iter().map(origin).collect();
    let listed = if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") };
    writeln!(text, "  {name} <- {listed}").unwrap();
}

fn origin(origin: &Origin) -> String {
    let source = match &origin.source {
        OriginSource::Column { relation, column } => format!("{relation}.{column}"),
        OriginSource::Unknown => "unknown".to_owned(),
    };
    format!("{source} {}{}", origin.kind.name(), if origin.masking { " masked" } else { "" })
}

fn table(fields: Vec<Field>) -> Arc<MemTable> {
    Arc::new(MemTable::try_new(Arc::new(Schema::new(fields)), vec![vec![]]).unwrap())
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

/// patients, visits, notes, clinic.sites, archive (as patients, numbers narrower), model and the view elders.
async fn clinic() -> SessionContext {
    let context = SessionContext::new();
    let real = |name: &str| Field::new(name, DataType::Float64, true);
    let patients = vec![number("id"), text("sex"), number("age"), real("weight"), text("site")];
    context.register_table("patients", table(patients)).unwrap();
    let visits = vec![number("id"), number("patient"), number("day"), real("cost"), text("ward")];
    context.register_table("visits", table(visits)).unwrap();
    let address = Field::new("address", DataType::Struct(Fields::from(vec![text("city"), text("zip")])), true);
    let tags = Field::new("tags", DataType::List(Arc::new(text("item"))), true);
    context.register_table("notes", table(vec![number("id"), tags, address])).unwrap();
    let archive = vec![Field::new("id", DataType::Int32, true), Field::new("sex", DataType::Utf8View, true)];
    context.register_table("archive", table(archive)).unwrap();
    context.sql("CREATE SCHEMA clinic").await.unwrap();
    context.register_table("model", table(vec![Field::new("onnx", DataType::Binary, true)])).unwrap();
    crate::predict::functions().for_each(|function| context.register_udf(function));
    context.register_table("clinic.sites", table(vec![text("site"), number("beds")])).unwrap();
    context.sql("CREATE VIEW elders AS SELECT id, age AS years FROM patients WHERE age > 65").await.unwrap();
    context
}

fn analysed(context: &SessionContext, plan: LogicalPlan) -> LogicalPlan {
    let state = context.state();
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).unwrap()
}

/// Returns the printed lineage of a statement, or why it cannot be planned.
async fn lineage_of(context: &SessionContext, sql: &str) -> String {
    match context.state().create_logical_plan(sql).await {
        Ok(plan) => printed(&plan_lineage(&analysed(context, plan), &|_| None)),
        Err(error) => format!("{error}\n"),
    }
}

#[tokio::test]
async fn every_case_has_exactly_its_origins() {
    let context = clinic().await;
    let cases = cases();
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let found = lineage_of(&context, &case.sql).await;
        if found != case.expected {
            write!(wrong, "\n{}{}expected\n{}found\n{found}", case.title, case.sql, case.expected).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn a_star_follows_a_changed_schema() {
    let context = clinic().await;
    context.deregister_table("archive").unwrap();
    context.register_table("archive", table(vec![text("sex"), number("year"), number("id")])).unwrap();
    let expected = "  sex <- archive.sex IDENTITY\n  year <- archive.year IDENTITY\n  id <- archive.id IDENTITY\n";
    assert_eq!(lineage_of(&context, "SELECT * FROM archive").await, expected);
}

#[tokio::test]
async fn a_lambda_reads_the_list_and_the_row_around_it() {
    let context = clinic().await;
    context.sql("SET datafusion.sql_parser.dialect = 'databricks'").await.unwrap();
    let sql = "SELECT array_transform(make_array(age, id), v -> v * weight) AS l FROM patients";
    let expected = "  l <- patients.age TRANSFORMATION, patients.id TRANSFORMATION, patients.weight TRANSFORMATION\n";
    assert_eq!(lineage_of(&context, sql).await, expected);
}

#[tokio::test]
async fn a_marked_join_keeps_every_row_and_explains_its_mark() {
    let context = clinic().await;
    let left = scan(&context, "SELECT id, age FROM patients WHERE site = 'north'").await;
    let right = scan(&context, "SELECT patient FROM visits WHERE ward = 'icu'").await;
    let right = LogicalPlanBuilder::from(right).alias("v").unwrap().build().unwrap();
    let on = vec![col("patients.id").eq(col("v.patient"))];
    for (join_type, kept) in [
        (JoinType::LeftMark, "  id <- patients.id IDENTITY\n  age <- patients.age IDENTITY\n"),
        (JoinType::RightMark, "  patient <- visits.patient IDENTITY\n"),
    ] {
        let builder = LogicalPlanBuilder::from(left.clone());
        let plan = builder.join_on(right.clone(), join_type, on.clone()).unwrap().build().unwrap();
        let found = printed(&plan_lineage(&plan, &|_| None));
        let (other, own) = if join_type == JoinType::LeftMark {
            ("visits.ward FILTER", "patients.site FILTER")
        } else {
            ("patients.site FILTER", "visits.ward FILTER")
        };
        let mut mark = ["patients.id JOIN", "visits.patient JOIN", other];
        mark.sort_unstable();
        assert_eq!(found, format!("{kept}  mark <- {}\n  * <- {own}\n", mark.join(", ")));
    }
}

async fn scan(context: &SessionContext, sql: &str) -> LogicalPlan {
    context.state().create_logical_plan(sql).await.unwrap()
}

#[tokio::test]
async fn filters_inside_a_scan_count() {
    let context = clinic().await;
    let provider = context.table_provider("patients").await.unwrap();
    let source = datafusion::datasource::provider_as_source(provider);
    let filters = vec![col("patients.site").eq(lit("north"))];
    let plan =
        LogicalPlanBuilder::scan_with_filters("patients", source, Some(vec![2]), filters).unwrap().build().unwrap();
    assert_eq!(
        printed(&plan_lineage(&plan, &|_| None)),
        "  age <- patients.age IDENTITY\n  * <- patients.site FILTER\n"
    );
}

/// Stands for an operator with two inputs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Node {
    inputs: Vec<LogicalPlan>,
    schema: DFSchemaRef,
}

impl PartialOrd for Node {
    fn partial_cmp(&self, _: &Self) -> Option<std::cmp::Ordering> {
        None
    }
}

impl UserDefinedLogicalNodeCore for Node {
    fn name(&self) -> &'static str {
        "Node"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Node")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> datafusion::common::Result<Self> {
        Ok(Self { inputs, schema: Arc::clone(&self.schema) })
    }
}

async fn operator_over(context: &SessionContext) -> LogicalPlan {
    let cohort = scan(context, "SELECT age + 1 AS duration, sex, id FROM patients WHERE weight > 50").await;
    let twice = scan(context, "SELECT p.id, v.id FROM patients p CROSS JOIN visits v").await;
    let schema = Schema::new(vec![number("time"), number("survival"), text("stratum")]);
    let schema = Arc::new(DFSchema::try_from_qualified_schema("curve", &schema).unwrap());
    let node = Node { inputs: vec![cohort, twice], schema };
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    LogicalPlanBuilder::from(plan)
        .project([col("time"), col("survival") * lit(2_i64), col("stratum")])
        .unwrap()
        .build()
        .unwrap()
}

fn declared(input: usize, column: &str, kind: Transformation, masking: bool) -> ColumnOrigin {
    ColumnOrigin { input, column: column.to_owned(), kind, masking }
}

#[tokio::test]
async fn an_operator_is_followed_as_it_declares() {
    let plan = operator_over(&clinic().await).await;
    let extension = |node: &dyn UserDefinedLogicalNode| {
        assert_eq!(node.name(), "Node");
        Some(ExtensionLineage {
            columns: vec![
                vec![declared(0, "duration", Transformation::Identity, false)],
                vec![
                    declared(0, "duration", Transformation::Aggregation, false),
                    declared(0, "id", Transformation::Window, true),
                ],
                vec![declared(0, "sex", Transformation::Identity, false)],
            ],
            indirect: vec![declared(0, "sex", Transformation::GroupBy, false)],
        })
    };
    let found = plan_lineage(&plan, &extension);
    let expected = "  time <- patients.age TRANSFORMATION
  curve.survival * Int64(2) <- patients.age AGGREGATION, patients.id WINDOW masked
  stratum <- patients.sex IDENTITY
  * <- patients.sex GROUP_BY, patients.weight FILTER
";
    assert_eq!(printed(&found), expected);
}

#[tokio::test]
async fn what_a_private_operator_reads_is_masked_with_its_rows() {
    let plan = operator_over(&clinic().await).await;
    let origin = || vec![declared(0, "duration", Transformation::Aggregation, true)];
    let extension = |_: &dyn UserDefinedLogicalNode| {
        Some(ExtensionLineage { columns: vec![origin(), origin(), Vec::new()], indirect: Vec::new() })
    };
    let expected = "  time <- patients.age AGGREGATION masked
  curve.survival * Int64(2) <- patients.age AGGREGATION masked
  stratum <- nothing
  * <- patients.weight FILTER masked
";
    assert_eq!(printed(&plan_lineage(&plan, &extension)), expected);
}

#[tokio::test]
async fn what_an_operator_cannot_tell_is_unknown_and_never_a_guess() {
    let plan = operator_over(&clinic().await).await;
    let opaque = "  time <- unknown TRANSFORMATION
  curve.survival * Int64(2) <- unknown TRANSFORMATION
  stratum <- unknown TRANSFORMATION
  * <- patients.weight FILTER, unknown FILTER
";
    assert_eq!(printed(&plan_lineage(&plan, &|_| None)), opaque);

    // `id` stands twice in the second input, `height` nowhere, and the third column is not declared.
    let vague = |_: &dyn UserDefinedLogicalNode| {
        let id = declared(1, "id", Transformation::Identity, false);
        let height = declared(0, "height", Transformation::Identity, false);
        Some(ExtensionLineage { columns: vec![vec![id], vec![height]], indirect: Vec::new() })
    };
    let expected = "  time <- unknown IDENTITY
  curve.survival * Int64(2) <- unknown TRANSFORMATION
  stratum <- unknown TRANSFORMATION
  * <- patients.weight FILTER
";
    assert_eq!(printed(&plan_lineage(&plan, &vague)), expected);
}

#[tokio::test]
async fn a_condition_of_many_terms_and_many_branches_of_a_union_end() {
    let context = clinic().await;
    let mut condition = col("age").gt(lit(0_i64));
    for term in 1..20_000_i64 {
        condition = condition.or(col("age").eq(lit(term)));
    }
    let plan = scan(&context, "SELECT id, age FROM patients").await;
    let plan = LogicalPlan::Filter(datafusion::logical_expr::Filter::new(condition, Arc::new(plan)));
    let found = printed(&plan_lineage(&plan, &|_| None));
    assert_eq!(found, "  id <- patients.id IDENTITY\n  age <- patients.age IDENTITY\n  * <- patients.age FILTER\n");
    // The expression is as deep as it is long: dropping it would overflow the stack of the test.
    std::mem::forget(plan);

    let branches = vec!["SELECT id FROM patients"; 200].join(" UNION ALL ");
    assert_eq!(lineage_of(&context, &branches).await, "  id <- patients.id IDENTITY\n");
}
