//! What lineage does not name cannot change the output: tested on random queries over two tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{Origin, OriginSource, PlanLineage, plan_lineage};

const QUERIES: u64 = 50;
const ROWS: usize = 12;
const TABLES: [(&str, [&str; 4]); 2] = [("a", ["id", "k", "x", "y"]), ("b", ["id", "k", "z", "w"])];

/// `SplitMix64`: enough for choosing queries and values.
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, options: &[&'a T]) -> &'a T {
        options[self.below(options.len())]
    }

    fn column(&mut self) -> ArrayRef {
        let value = |choices: &mut Self| i64::try_from(choices.below(6)).ok().filter(|value| *value < 5);
        Arc::new((0..ROWS).map(|_| value(self)).collect::<Int64Array>())
    }
}

/// A query under construction: its text and its columns, all of them integers with names of their own.
struct Query {
    sql: String,
    columns: Vec<String>,
}

/// Makes queries; `n_names` keeps names apart.
struct Generator {
    choices: Choices,
    n_names: usize,
}

impl Generator {
    fn name(&mut self) -> String {
        self.n_names += 1;
        format!("c{}", self.n_names)
    }

    fn query(&mut self, depth: usize) -> Query {
        if depth == 0 {
            return self.table();
        }
        let input = self.query(depth - 1);
        match self.choices.below(10) {
            0 => self.project(&input),
            1 => self.filter(&input),
            2 => self.aggregate(&input),
            3 | 4 => self.join(&input),
            5 => self.window(&input),
            6 => self.union(&input),
            7 => self.subquery_filter(&input),
            8 => self.subquery_value(&input),
            _ => Query { sql: format!("SELECT DISTINCT * FROM ({}) AS q", input.sql), columns: input.columns },
        }
    }

    fn table(&mut self) -> Query {
        let (table, columns) = TABLES[self.choices.below(2)];
        let names: Vec<String> = columns.iter().map(|_| self.name()).collect();
        let list: Vec<String> =
            columns.iter().zip(&names).map(|(column, name)| format!("{column} AS {name}")).collect();
        Query { sql: format!("SELECT {} FROM {table}", list.join(", ")), columns: names }
    }

    fn pick(&mut self, query: &Query) -> String {
        query.columns[self.choices.below(query.columns.len())].clone()
    }

    fn expression(&mut self, query: &Query) -> String {
        let (a, b, c) = (self.pick(query), self.pick(query), self.pick(query));
        match self.choices.below(6) {
            0 => format!("{a} + {b}"),
            1 => format!("CASE WHEN {a} > 2 THEN {b} ELSE {c} END"),
            2 => format!("coalesce({a}, {b})"),
            3 => format!("CAST(CAST({a} AS VARCHAR) AS BIGINT) - 1"),
            _ => a,
        }
    }

    fn predicate(&mut self, query: &Query) -> String {
        let (a, b) = (self.pick(query), self.pick(query));
        match self.choices.below(4) {
            0 => format!("{a} < {b}"),
            1 => format!("{a} IS NOT NULL"),
            2 => format!("{a} IN (1, 2) OR {b} = 0"),
            _ => format!("{a} >= 1"),
        }
    }

    fn project(&mut self, input: &Query) -> Query {
        let columns = vec![self.name(), self.name(), self.name()];
        let list: Vec<String> = columns.iter().map(|name| format!("{} AS {name}", self.expression(input))).collect();
        Query { sql: format!("SELECT {} FROM ({}) AS q", list.join(", "), input.sql), columns }
    }

    fn filter(&mut self, input: &Query) -> Query {
        let sql = format!("SELECT * FROM ({}) AS q WHERE {}", input.sql, self.predicate(input));
        Query { sql, columns: input.columns.clone() }
    }

    fn aggregate(&mut self, input: &Query) -> Query {
        let columns = vec![self.name(), self.name(), self.name(), self.name()];
        let function = self.choices.of(&["sum", "max", "count", "min", "count(DISTINCT"]);
        let aggregate = format!("{function}({})", self.expression(input)).replace("DISTINCT(", "DISTINCT ");
        let filter = format!("sum({}) FILTER (WHERE {})", self.pick(input), self.predicate(input));
        let (key, group) = (self.pick(input), self.choices.of(&["", "ROLLUP "]));
        let having = self.choices.of(&["", "HAVING count(*) > 1"]);
        let sql = format!(
            "SELECT {key} AS {}, {aggregate} AS {}, {filter} AS {}, count(*) AS {} FROM ({}) AS q GROUP BY {group}({key}) {having}",
            columns[0], columns[1], columns[2], columns[3], input.sql
        );
        Query { sql, columns }
    }

    fn join(&mut self, left: &Query) -> Query {
        let right = self.table();
        let kind =
            self.choices.of(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"]);
        let (from, to) = (self.pick(left), self.pick(&right));
        let extra = if self.choices.below(3) == 0 {
            format!(" AND {} < {}", self.pick(left), self.pick(&right))
        } else {
            String::new()
        };
        let columns = if kind.contains("SEMI") || kind.contains("ANTI") {
            left.columns.clone()
        } else {
            vec![self.pick(left), right.columns[0].clone(), right.columns[2].clone()]
        };
        let list = columns.join(", ");
        let sql = format!("SELECT {list} FROM ({}) AS l {kind} ({}) AS r ON {from} = {to}{extra}", left.sql, right.sql);
        Query { sql, columns }
    }

    fn window(&mut self, input: &Query) -> Query {
        let function = self.choices.of(&["sum", "max", "count"]);
        let (value, by, key) = (self.expression(input), self.pick(input), self.pick(input));
        let (kept, total, rank) = (self.pick(input), self.name(), self.name());
        let sql = format!(
            "SELECT {kept}, {function}({value}) OVER (PARTITION BY {by}) AS {total}, CAST(rank() OVER (ORDER BY {key}) AS BIGINT) AS {rank} FROM ({}) AS q",
            input.sql
        );
        Query { sql, columns: vec![kept, total, rank] }
    }

    fn union(&mut self, input: &Query) -> Query {
        let other = self.table();
        let (columns, all) = (vec![self.name(), self.name()], self.choices.of(&["ALL", ""]));
        let sql = format!(
            "SELECT {} AS {}, {} AS {} FROM ({}) AS q UNION {all} SELECT {}, 7 FROM ({}) AS r",
            self.pick(input),
            columns[0],
            self.expression(input),
            columns[1],
            input.sql,
            self.pick(&other),
            other.sql
        );
        Query { sql, columns }
    }

    fn subquery_filter(&mut self, input: &Query) -> Query {
        let (other, column) = (self.table(), self.pick(input));
        let inner = format!("FROM ({}) AS r WHERE {}", other.sql, self.predicate(&other));
        let condition = match self.choices.below(3) {
            0 => format!("EXISTS (SELECT 1 {inner} AND {} = q.{column})", self.pick(&other)),
            1 => format!("{column} IN (SELECT {} {inner})", self.pick(&other)),
            _ => format!("{column} >= (SELECT min({}) {inner})", self.pick(&other)),
        };
        Query { sql: format!("SELECT * FROM ({}) AS q WHERE {condition}", input.sql), columns: input.columns.clone() }
    }

    fn subquery_value(&mut self, input: &Query) -> Query {
        let (other, column, name) = (self.table(), self.pick(input), self.name());
        let (value, key) = (self.pick(&other), self.pick(&other));
        let sql = format!(
            "SELECT *, (SELECT max({value}) FROM ({}) AS r WHERE {key} = q.{column}) AS {name} FROM ({}) AS q",
            other.sql, input.sql
        );
        Query { sql, columns: input.columns.iter().cloned().chain([name]).collect() }
    }
}

type Upstream = BTreeSet<(String, String)>;

fn upstream<'a>(origins: impl IntoIterator<Item = &'a Origin>) -> Upstream {
    let named = |origin: &Origin| match &origin.source {
        OriginSource::Column { relation, column } => (relation.clone(), column.clone()),
        OriginSource::Unknown => panic!("nothing is opaque here"),
    };
    origins.into_iter().map(named).collect()
}

/// The two tables; columns can be given new values.
#[derive(Clone)]
struct Data(Vec<(&'static str, RecordBatch)>);

impl Data {
    fn random(choices: &mut Choices) -> Self {
        let tables = TABLES.map(|(table, columns)| {
            let columns = columns.map(|name| (name, choices.column(), true));
            (table, RecordBatch::try_from_iter_with_nullable(columns).unwrap())
        });
        Self(tables.to_vec())
    }

    /// Returns the same tables with new values in every column that `keep` refuses.
    fn changed(&self, choices: &mut Choices, keep: impl Fn(&(String, String)) -> bool) -> Self {
        let mut changed = self.clone();
        for (table, batch) in &mut changed.0 {
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
                let kept = keep(&((*table).to_owned(), field.name().clone()));
                if kept { Arc::clone(column) } else { choices.column() }
            });
            *batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
        }
        changed
    }
}

/// Runs queries on tables whose rows can be exchanged, so that a query is optimised only once.
struct Bench {
    context: SessionContext,
    tables: Vec<Arc<MemTable>>,
}

impl Bench {
    fn new() -> Self {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let mut tables = Vec::new();
        for (name, batch) in Data::random(&mut Choices(0)).0 {
            let table = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap());
            context.register_table(name, Arc::clone(&table) as Arc<dyn TableProvider>).unwrap();
            tables.push(table);
        }
        Self { context, tables }
    }

    /// Returns a query's plan, ready to run, and its lineage.
    async fn plan(&self, sql: &str) -> (LogicalPlan, PlanLineage) {
        let state = self.context.state();
        let plan = state.create_logical_plan(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let analysed = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).unwrap();
        let lineage = plan_lineage(&analysed, &|_| None);
        (state.optimize(&analysed).unwrap(), lineage)
    }

    /// Returns the rows of a plan's output on the given tables.
    async fn rows(&self, plan: &LogicalPlan, data: &Data) -> Vec<Vec<String>> {
        for (table, (_, batch)) in self.tables.iter().zip(&data.0) {
            *table.batches[0].write().await = vec![batch.clone()];
        }
        let state = self.context.state();
        let plan = state.query_planner().create_physical_plan(plan, &state).await.unwrap();
        let batches = collect(plan, self.context.task_ctx()).await.unwrap();
        let cell = |column: &ArrayRef, row: usize| array_value_to_string(column, row).unwrap();
        let rows = batches.iter().flat_map(|batch| {
            (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(column, row)).collect())
        });
        rows.collect()
    }
}

/// The rows in no order; with `only`, one column of them.
fn unordered(rows: &[Vec<String>], only: Option<usize>) -> Vec<Vec<String>> {
    let part = |row: &Vec<String>| only.map_or_else(|| row.clone(), |column| vec![row[column].clone()]);
    let mut rows: Vec<_> = rows.iter().map(part).collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn a_column_that_is_not_upstream_cannot_change_the_output() {
    let bench = Bench::new();
    let (mut n_with_rows, mut n_sensitive) = (0, 0);
    for seed in 0..QUERIES {
        let mut generator = Generator { choices: Choices(seed), n_names: 0 };
        let sql = generator.query(3).sql;
        let mut choices = generator.choices;
        let (plan, found) = bench.plan(&sql).await;
        let data = Data::random(&mut choices);
        let rows = bench.rows(&plan, &data).await;

        let all = upstream(found.columns.iter().flat_map(|(_, origins)| origins).chain(&found.indirect));
        let other = bench.rows(&plan, &data.changed(&mut choices, |column| all.contains(column))).await;
        assert_eq!(unordered(&rows, None), unordered(&other, None), "seed {seed}: {sql}");

        let position = choices.below(found.columns.len());
        let own = upstream(found.columns[position].1.iter().chain(&found.indirect));
        let other = bench.rows(&plan, &data.changed(&mut choices, |column| own.contains(column))).await;
        let only = Some(position);
        assert_eq!(unordered(&rows, only), unordered(&other, only), "seed {seed}, column {position}: {sql}");

        let other = bench.rows(&plan, &data.changed(&mut choices, |column| !all.contains(column))).await;
        n_with_rows += u64::from(!rows.is_empty());
        n_sensitive += u64::from(unordered(&rows, None) != unordered(&other, None));
    }
    // Otherwise the test would hold for any lineage.
    assert!(n_with_rows > QUERIES / 2 && n_sensitive > QUERIES / 2, "{n_with_rows} with rows, {n_sensitive} sensitive");
}
