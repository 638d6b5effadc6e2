//! The `:name`s of a statement and the values bound to them.
//!
//! A value enters the tree of a query as a typed constant, right before the query is planned. Texts that
//! are made of a statement (its record, the rewritten forms of UPDATE and MERGE) hold names only, so
//! nothing in a value is ever read as SQL.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use causeway_model::{ParameterValue, Parameters, SLOT_PARAMETERS};
use datafusion::arrow::datatypes::{DataType as ArrowType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Select, SelectItem, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};

use crate::call::at;
use crate::error::{EngineError, ErrorKind, Result};
use crate::gate::Limits;
use crate::parse::parse_one;
use crate::types::sql_type;

/// The function that reads an instant.
const READ_INSTANT: &str = "arrow_cast";

/// Returns the name of a parameter, lower case.
fn name_of(value: &Value) -> Option<String> {
    match value {
        Value::Placeholder(name) => name.strip_prefix(':').map(str::to_lowercase),
        _ => None,
    }
}

/// Returns the name of the parameter that an expression is.
pub(crate) fn parameter(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => name_of(&value.value),
        _ => None,
    }
}

/// Lists the parameters of a tree.
pub(crate) fn names(tree: &impl Visit) -> BTreeSet<String> {
    #[derive(Default)]
    struct Names(BTreeSet<String>);

    impl Visitor for Names {
        type Break = ();

        fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
            self.0.extend(name_of(&value.value));
            ControlFlow::Continue(())
        }
    }

    let mut found = Names::default();
    let _: ControlFlow<()> = tree.visit(&mut found);
    found.0
}

/// Puts values in the place of names.
pub(crate) fn bind(tree: &mut (impl Visit + VisitMut), parameters: &Parameters) -> Result<()> {
    if let ControlFlow::Break(error) = VisitMut::visit(tree, &mut Binding(parameters)) {
        return Err(*error);
    }
    match names(tree).first() {
        Some(name) => Err(EngineError::new(ErrorKind::Parameter, format!("`:{name}` cannot stand where it does"))
            .with_hint("a parameter stands for a value: a number, a text, a day")),
        None => Ok(()),
    }
}

struct Binding<'a>(&'a Parameters);

impl VisitorMut for Binding<'_> {
    type Break = Box<EngineError>;

    /// Names the columns that hold parameters as they are written: with the values they would have other
    /// names each time.
    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && !names(expr).is_empty()
            {
                let name = parameter(expr).unwrap_or_else(|| expr.to_string());
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Some(name) = parameter(expr) else { return ControlFlow::Continue(()) };
        match self.0.get(&name) {
            Some(value) => {
                *expr = constant(value);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(Box::new(at(expr, without_value(&name, self.0)))),
        }
    }
}

/// Makes the constant of a value.
fn constant(value: &ParameterValue) -> Expr {
    let plain = |value: Value| Expr::Value(value.with_empty_span());
    let text = |text: String| plain(Value::SingleQuotedString(text));
    match value {
        ParameterValue::BigInt(_) | ParameterValue::Double(_) => plain(Value::Number(value.to_string(), false)),
        ParameterValue::Text(content) => text(content.clone()),
        ParameterValue::Boolean(truth) => plain(Value::Boolean(*truth)),
        ParameterValue::Date(_) => Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(text(value.to_string())),
            data_type: DataType::Date,
            array: false,
            format: None,
        },
        ParameterValue::Timestamp(_) => {
            let instant = ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            function(READ_INSTANT, [text(value.to_string()), text(instant.to_string())])
        }
    }
}

fn function(name: &str, arguments: [Expr; 2]) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Returns a constant text: a literal, a bound value, or such things joined by `||`. A parameter without
/// a value yet is its own name.
pub(crate) fn constant_text(expr: &Expr) -> Option<String> {
    use datafusion::sql::sqlparser::ast::BinaryOperator::StringConcat;
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Placeholder(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Nested(inner) => constant_text(inner),
        Expr::BinaryOp { left, op: StringConcat, right } => Some(part_of_text(left)? + &part_of_text(right)?),
        Expr::Cast { expr, data_type: DataType::Date, .. } => constant_text(expr),
        Expr::Function(call) if call.name.to_string() == READ_INSTANT => match &call.args {
            FunctionArguments::List(list) => match list.args.first() {
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(instant))) => constant_text(instant),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn part_of_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => Some(number.clone()),
            _ => constant_text(expr),
        },
        _ => constant_text(expr),
    }
}

/// Checks that each text among the values can be read as what its place in an analysed plan needs.
pub(crate) fn check_fit(plan: &LogicalPlan, parameters: &Parameters) -> Result<()> {
    let texts: Vec<(&str, ScalarValue)> = parameters
        .iter()
        .filter_map(|(name, value)| match value {
            ParameterValue::Text(text) => Some((name, ScalarValue::from(text.as_str()))),
            _ => None,
        })
        .collect();
    if texts.is_empty() {
        return Ok(());
    }
    let mut misfit = None;
    let mut look = |expr: &PlanExpr| {
        if let PlanExpr::Cast(cast) = expr
            && let PlanExpr::Literal(value, _) = cast.expr.as_ref()
            && let Some((name, text)) = texts.iter().find(|(_, text)| text == value)
            && text.cast_to(cast.field.data_type()).is_err()
        {
            misfit = Some(unfit(name, cast.field.data_type()));
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(|node| node.apply_expressions(|expr| expr.apply(&mut look)))?;
    misfit.map_or(Ok(()), Err)
}

fn unfit(name: &str, wanted: &ArrowType) -> EngineError {
    let wanted = sql_type(wanted);
    EngineError::new(ErrorKind::Parameter, format!("parameter `:{name}` is text, its place needs {wanted}"))
        .with_hint(format!("give it a value that is one: --param {name}:{wanted}=…"))
}

/// Checks the values given against the names that statements use: none is missing, none is left over.
/// The names that a schedule gives values to may be left over.
///
/// # Errors
/// [`ErrorKind::Parameter`], with the name that was probably meant.
pub fn check_parameters(used: &BTreeSet<String>, given: &Parameters) -> Result<()> {
    let left_over = |name: &&str| !used.contains(*name) && !SLOT_PARAMETERS.contains(name);
    let unused = given.names().find(left_over);
    let missing = used.iter().find(|name| given.get(name).is_none());
    match (missing, unused) {
        (Some(missing), _) => Err(without_value(missing, given)),
        (None, Some(unused)) => {
            let error = EngineError::new(ErrorKind::Parameter, format!("nothing uses parameter `{unused}`"));
            Err(match causeway_core::nearest(unused, used.iter().map(String::as_str)) {
                Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
                None if used.is_empty() => error.with_hint("a statement uses it as `:name`"),
                None => error.with_hint(format!("used are {}", used.iter().cloned().collect::<Vec<_>>().join(", "))),
            })
        }
        (None, None) => Ok(()),
    }
}

fn without_value(name: &str, given: &Parameters) -> EngineError {
    let error = EngineError::new(ErrorKind::Parameter, format!("parameter `:{name}` has no value"));
    match causeway_core::nearest(name, given.names().chain(SLOT_PARAMETERS)).filter(|nearest| nearest != name) {
        Some(nearest) => error.with_hint(format!("did you mean `:{nearest}`?")),
        None if name == causeway_model::RUN_DATE => {
            error.with_hint(format!("a schedule gives it; by hand: --param {name}=2026-01-31"))
        }
        None if SLOT_PARAMETERS.contains(&name) => {
            error.with_hint(format!("a schedule gives it; by hand: --param {name}=2026-01-31T00:00:00Z"))
        }
        None => error.with_hint(format!("give it one: --param {name}=value, or --param {name}:type=value")),
    }
}

/// Lists the names of the parameters of a statement; none if it cannot be read.
///
/// ```
/// assert!(causeway_engine::parameters_of("SELECT :Site, ':day'::date -- :note").iter().eq(["site"]));
/// ```
pub fn parameters_of(sql: &str) -> BTreeSet<String> {
    parse_one(sql, &Limits::default()).map(|parsed| parsed.parameters).unwrap_or_default()
}

/// Refuses parameters in a text that is kept and read again later; `what` says what it is.
pub(crate) fn refuse_kept(tree: &impl Visit, what: &str) -> Result<()> {
    match names(tree).first() {
        Some(name) => Err(EngineError::new(ErrorKind::Parameter, format!("{what} cannot use parameter `:{name}`"))
            .with_hint("its text is kept for later, the value is not; write the value, or store a result in a table")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse_query;

    fn bound(sql: &str, given: &[&str]) -> Result<String> {
        let mut query = parse_query(sql)?;
        bind(&mut query, &Parameters::parse(given.iter().copied()).unwrap())?;
        Ok(query.to_string())
    }

    fn hint(sql: &str, given: &[&str]) -> String {
        let error = bound(sql, given).unwrap_err();
        assert_eq!(error.code(), "CW0110");
        format!("{error}; {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn values_are_constants_of_their_types() {
        assert_eq!(bound("SELECT 1 FROM t WHERE a = :N", &["n=-5"]).unwrap(), "SELECT 1 FROM t WHERE a = -5");
        assert_eq!(bound("SELECT 1 LIMIT :n", &["n=5"]).unwrap(), "SELECT 1 LIMIT 5");
        assert_eq!(
            bound("SELECT 1 FROM t WHERE a = :d", &["d=2026-01-31"]).unwrap(),
            "SELECT 1 FROM t WHERE a = CAST('2026-01-31' AS DATE)"
        );
        let hostile = "it's; DROP TABLE a; --";
        let mut query = parse_query("SELECT 1 FROM t WHERE a = :t").unwrap();
        bind(&mut query, &Parameters::parse([format!("t={hostile}").as_str()]).unwrap()).unwrap();
        let again = parse_query(&query.to_string()).unwrap();
        assert_eq!(again, query, "even if it were printed it would be one text");
    }

    #[test]
    fn a_column_of_a_parameter_is_named_after_it() {
        assert_eq!(
            bound("SELECT :Site, :site + 1", &["site=3"]).unwrap(),
            "SELECT 3 AS \"site\", 3 + 1 AS \":site + 1\""
        );
    }

    #[test]
    fn texts_and_comments_and_casts_hold_no_parameters() {
        assert_eq!(bound("SELECT ':n', a::int /* :n */ FROM t -- :n", &[]).unwrap(), "SELECT ':n', a::INT FROM t");
        assert!(
            names(&parse_query("SELECT a[1:2], b::date FROM t WHERE c = :x AND d IN (:y, :X)").unwrap())
                .iter()
                .eq(["x", "y"])
        );
    }

    #[test]
    fn a_missing_name_suggests_the_nearest() {
        assert!(hint("SELECT :ste", &["site=3"]).ends_with("has no value; did you mean `:site`?"));
        assert!(hint("SELECT :run_dat", &[]).ends_with("did you mean `:run_date`?"));
        assert!(hint("SELECT :run_date", &[]).contains("by hand: --param run_date=2026-01-31"));
        assert!(hint("SELECT :limit", &[]).contains("--param limit=value"));
    }

    #[test]
    fn what_is_given_is_used() {
        let given = Parameters::parse(["site=3", "run_date=2026-01-31"]).unwrap();
        let used = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert!(check_parameters(&used(&["site"]), &given).is_ok());
        let error = check_parameters(&used(&[]), &given).unwrap_err();
        assert_eq!(error.to_string(), "nothing uses parameter `site`");
        assert!(check_parameters(&used(&["site", "x"]), &given).is_err());
    }

    #[test]
    fn paths_are_joined_of_texts_numbers_and_days() {
        let path = |sql: &str| {
            let mut query = parse_query(&format!("SELECT 1 WHERE {sql}")).unwrap();
            bind(&mut query, &Parameters::parse(["day=2026-01-31", "n=7", "t=a'b"]).unwrap()).unwrap();
            match query.body.as_ref() {
                datafusion::sql::sqlparser::ast::SetExpr::Select(select) => {
                    select.selection.as_ref().and_then(constant_text)
                }
                _ => None,
            }
        };
        assert_eq!(path("'in/' || :day || '-' || :n || '.csv'").as_deref(), Some("in/2026-01-31-7.csv"));
        assert_eq!(path("(:t)").as_deref(), Some("a'b"));
        assert_eq!(path("'a' || lower('B')"), None);
        assert_eq!(path("7"), None);
    }
}
