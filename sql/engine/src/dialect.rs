//! PostgreSQL's dialect, bounded: the parser tries alternatives one after another, and nested ones
//! can make it try each alternative of each level, twice the work for every level.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

/// Attempts at an expression for each token, far more than the nested statements of the tests need.
const STEPS_PER_TOKEN: usize = 50;

/// Attempts granted to any statement, however short.
const FREE_STEPS: usize = 20_000;

/// The dialect of all statements. Parsing ends with [`ParserError::RecursionLimitExceeded`] when an
/// allowance that grows with the statement is used up.
#[derive(Debug)]
pub(crate) struct BoundedPostgres {
    steps_left: Cell<usize>,
}

impl BoundedPostgres {
    /// Makes the dialect for a text of so many tokens.
    pub(crate) fn new(tokens: usize) -> Self {
        Self { steps_left: Cell::new(FREE_STEPS + STEPS_PER_TOKEN * tokens) }
    }
}

macro_rules! as_postgres {
    ($($method:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        $(fn $method(&self, $($argument: $kind),*) -> $result {
            PostgreSqlDialect {}.$method($($argument),*)
        })*
    };
}

impl Dialect for BoundedPostgres {
    fn dialect(&self) -> TypeId {
        PostgreSqlDialect {}.dialect()
    }

    fn parse_prefix(&self, _parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        match self.steps_left.get().checked_sub(1) {
            Some(left) => {
                self.steps_left.set(left);
                None
            }
            None => Some(Err(ParserError::RecursionLimitExceeded)),
        }
    }

    /// False: the name of an argument is an identifier. Were it an expression, each argument that has
    /// no name would be parsed twice, and so 2^n times at the bottom of n calls.
    fn supports_named_fn_args_with_expr_name(&self) -> bool {
        false
    }

    as_postgres! {
        identifier_quote_style(identifier: &str) -> Option<char>;
        is_delimited_identifier_start(ch: char) -> bool;
        is_identifier_start(ch: char) -> bool;
        is_identifier_part(ch: char) -> bool;
        is_reserved_for_identifier(keyword: Keyword) -> bool;
        is_custom_operator_part(ch: char) -> bool;
        get_next_precedence(parser: &Parser<'_>) -> Option<Result<u8, ParserError>>;
        prec_value(precedence: Precedence) -> u8;
        supports_unicode_string_literal() -> bool;
        supports_filter_during_aggregation() -> bool;
        supports_group_by_expr() -> bool;
        allow_extract_custom() -> bool;
        allow_extract_single_quotes() -> bool;
        supports_create_index_with_clause() -> bool;
        supports_explain_with_utility_options() -> bool;
        supports_listen_notify() -> bool;
        supports_factorial_operator() -> bool;
        supports_bitwise_shift_operators() -> bool;
        supports_comment_on() -> bool;
        supports_load_extension() -> bool;
        supports_named_fn_args_with_colon_operator() -> bool;
        supports_empty_projections() -> bool;
        supports_nested_comments() -> bool;
        supports_string_escape_constant() -> bool;
        supports_numeric_literal_underscores() -> bool;
        supports_array_typedef_with_brackets() -> bool;
        supports_geometric_types() -> bool;
        supports_set_names() -> bool;
        supports_alter_column_type_using() -> bool;
        supports_notnull_operator() -> bool;
        supports_interval_options() -> bool;
        supports_insert_table_alias() -> bool;
        supports_create_table_like_parenthesized() -> bool;
        supports_select_wildcard_with_alias() -> bool;
        supports_comma_separated_trim() -> bool;
        supports_xml_expressions() -> bool;
        supports_comment_optimizer_hint() -> bool;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Limits;
    use crate::parse::parse_one;

    /// Nests a shape, in which `_` stands for what is nested, 60 deep.
    fn nested(shape: &str, innermost: &str) -> String {
        (0..60).fold(innermost.to_owned(), |inner, _| shape.replace('_', &inner))
    }

    #[test]
    fn parsing_ends_when_the_allowance_is_used_up() {
        let dialect = BoundedPostgres { steps_left: Cell::new(2) };
        let parse = |sql: &str| Parser::parse_sql(&dialect, sql);
        assert!(parse("SELECT 1").is_ok());
        assert_eq!(parse("SELECT f(f(f(1)))").unwrap_err(), ParserError::RecursionLimitExceeded);
    }

    #[test]
    fn whatever_is_nested_is_parsed_within_the_allowance() {
        let expressions = [
            "f(_)",
            "f(1, _, 2)",
            "f(a => _)",
            "(_)",
            "(_, 1)",
            "-(_)",
            "NOT (_)",
            "CASE WHEN _ THEN 1 ELSE 2 END",
            "CASE _ WHEN 1 THEN 1 END",
            "CAST(_ AS BIGINT)",
            "(_)::BIGINT",
            "ARRAY[_]",
            "[_]",
            "(_)[1]",
            "a[_]",
            "ROW(_)",
            "(1 IN (_))",
            "(x IN (1, _))",
            "(_ IS NULL)",
            "(_ BETWEEN 1 AND 2)",
            "(1 BETWEEN _ AND 2)",
            "(a LIKE _)",
            "(1 = ANY(_))",
            "EXTRACT(year FROM _)",
            "SUBSTRING(_ FROM 1 FOR 2)",
            "TRIM(BOTH 'x' FROM _)",
            "POSITION('x' IN _)",
            "OVERLAY(_ PLACING 'x' FROM 1)",
            "CEIL(_)",
            "sum(_) FILTER (WHERE true)",
            "sum(1) FILTER (WHERE _)",
            "sum(_) OVER (PARTITION BY 1)",
            "sum(1) OVER (ORDER BY _)",
            "(INTERVAL '1' day + _)",
            "(_ AT TIME ZONE 'UTC')",
        ];
        let relations = ["(SELECT * FROM _) AS t", "(a JOIN _ ON true)", "LATERAL (SELECT * FROM _) AS t"];
        let expressions = expressions.iter().map(|shape| format!("SELECT {}", nested(shape, "x")));
        let relations = relations.iter().map(|shape| format!("SELECT * FROM {}", nested(shape, "t")));
        let limits = Limits { max_depth: 256, ..Limits::default() };
        let parse =
            move |sql: String| parse_one(&sql, &limits).err().map(|error| (sql[..60].to_owned(), error.to_string()));
        let all: Vec<String> = expressions.chain(relations).collect();
        // Some parts of the parser recurse on the stack; the product's threads have one of this size.
        let parser = std::thread::Builder::new().stack_size(16 << 20);
        let refused: Vec<(String, String)> =
            parser.spawn(move || all.into_iter().filter_map(parse).collect()).unwrap().join().unwrap();
        assert!(refused.is_empty(), "{refused:#?}");
    }
}
