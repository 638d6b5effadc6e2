//! The words an operator is described with. One `Spec` per operator is the only table of truth.

use crate::Transformation;

/// Everything the system knows about an operator before it runs.
#[derive(Debug)]
pub struct Spec {
    /// The SQL name, snake_case, spelling the method.
    pub name: &'static str,
    /// The family (crate) it belongs to.
    pub family: &'static str,
    /// Raised whenever the same input would give another result.
    pub version: u32,
    /// What it does, one line.
    pub summary: &'static str,
    /// The method in Markdown: formulas, ties, nulls, guarantees, cost.
    pub details: &'static str,
    /// The input relations in positional order.
    pub inputs: &'static [InputSpec],
    /// The options besides those that name columns.
    pub parameters: &'static [Parameter],
    /// The output columns in order.
    pub output: &'static [ColumnSpec],
    /// Roles that decide which rows the output has without being copied into it
    /// (OpenLineage's INDIRECT kinds), for example the grouping columns.
    pub indirect: &'static [(&'static str, Transformation)],
    /// What the result reveals.
    pub privacy: PrivacyClaim,
    /// Authors, year, equation.
    pub source: &'static str,
    /// A call a user can type.
    pub example: &'static str,
}

/// One input relation of an operator.
#[derive(Debug)]
pub struct InputSpec {
    /// The name by which the relation can be passed (`rows => (SELECT …)`).
    pub name: &'static str,
    /// What one row is.
    pub summary: &'static str,
    /// False if the relation may be left out.
    pub required: bool,
    /// The roles its columns play.
    pub columns: &'static [ColumnRole],
}

/// A role that a column of an input relation plays.
///
/// The role is also an option: `time => 'os_days'` says which column plays `time`. Without the
/// option a column of the role's own name is taken. If several inputs have the role, the option
/// names the column in each of them. A role of the name of a parameter has no column but the one named:
/// a text names it, any other value is the parameter's (`folds => 5` or `folds => 'clinic'`).
#[derive(Debug)]
pub struct ColumnRole {
    /// The field's own term: `time`, `event`, `treatment`.
    pub role: &'static str,
    /// What the column may hold.
    pub kind: ColumnType,
    /// The unit, "" if none.
    pub unit: &'static str,
    /// True if nulls are accepted; the details say what they do.
    pub nullable: bool,
    /// True if the call fails without it.
    pub required: bool,
    /// True if several columns may play the role (`by => ARRAY['sex', 'stage']`). Such a role has
    /// no default column, unless it takes numbers: then it is played by every number column that
    /// plays no other role.
    pub several: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// The types a role accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Integer, float or decimal.
    Number,
    /// Boolean, or a number that is 0 or 1.
    Flag,
    /// Integer, float, decimal, or a boolean that counts as 0 or 1. Without the option no column
    /// plays a role of this type, not even one that several columns may play.
    Quantity,
    /// A string.
    Text,
    /// Anything that can be compared for equality: string, boolean, integer, date.
    Category,
    /// Any type.
    Any,
}

/// An option of an operator that is not the name of a column.
#[derive(Debug)]
pub struct Parameter {
    /// The SQL name.
    pub name: &'static str,
    /// Type and range.
    pub kind: ParameterKind,
    /// The default as an SQL literal; `None` if the option is required.
    pub default: Option<&'static str>,
    /// The unit, "" if none.
    pub unit: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// The type and range of an option.
#[derive(Debug, Clone, Copy)]
pub enum ParameterKind {
    /// `true` or `false`.
    Boolean,
    /// An integer of a closed range.
    Integer {
        /// The smallest allowed.
        min: i64,
        /// The largest allowed.
        max: i64,
    },
    /// A finite float of a range, written as the docs print it.
    Float {
        /// The lower end.
        min: f64,
        /// The upper end.
        max: f64,
        /// True if `min` and `max` themselves are refused.
        open: bool,
    },
    /// Any string.
    Text,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// One or more of a few words: `'a'` or `ARRAY['a', 'b']`.
    Words(&'static [&'static str]),
    /// Any texts, integers or booleans: `ARRAY['a', 'b']`; for several columns an array of such arrays.
    Values,
}

/// One output column, or one column for each column of a role.
#[derive(Debug)]
pub struct ColumnSpec {
    /// The column's name; for [`OutputType::EachOf`] the role.
    pub name: &'static str,
    /// Its type.
    pub kind: OutputType,
    /// True if it can be null; the meaning says when.
    pub nullable: bool,
    /// The unit, "" if none; "of `time`" refers to a role.
    pub unit: &'static str,
    /// What it means, with its range.
    pub meaning: &'static str,
    /// The roles it is computed from, for lineage.
    pub from: &'static [(&'static str, Transformation)],
}

/// The type of an output column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputType {
    /// 64-bit float.
    Float64,
    /// Unsigned 64-bit integer: counts.
    UInt64,
    /// Signed 64-bit integer.
    Int64,
    /// Boolean.
    Boolean,
    /// String.
    Utf8,
    /// List of 64-bit floats, none of them null.
    Doubles,
    /// One output column for each column bound to the role, same name and type.
    EachOf(&'static str),
}

/// What a result reveals about single rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivacyClaim {
    /// None: the result is exact and may identify a person.
    Exact,
    /// Differential privacy, as stated.
    Private(&'static str),
    /// Noise without a guarantee, as stated.
    Heuristic(&'static str),
}

impl Spec {
    /// Returns the parameter of a name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Returns the names of all options: parameters, column roles, then input relations.
    pub fn option_names(&self) -> impl Iterator<Item = &'static str> {
        let roles = self.roles().map(|role| role.role).filter(move |role| self.parameter(role).is_none());
        let parameters = self.parameters.iter().map(|parameter| parameter.name);
        let relations = self.inputs.iter().map(|input| input.name);
        parameters.chain(roles).chain(relations)
    }

    /// Returns the roles of all inputs; one that several inputs have, and that one option names, once.
    fn roles(&self) -> impl Iterator<Item = &'static ColumnRole> {
        let columns = |input: &'static InputSpec| input.columns.iter();
        let inputs = self.inputs;
        inputs.iter().enumerate().flat_map(move |(position, input)| {
            let is_new = move |role: &&ColumnRole| {
                !inputs[..position].iter().flat_map(columns).any(|earlier| earlier.role == role.role)
            };
            columns(input).filter(is_new)
        })
    }

    /// Returns the call with all its options, as the docs print it.
    pub fn usage(&self) -> String {
        let mut parts: Vec<String> = self
            .inputs
            .iter()
            .enumerate()
            .map(|(position, input)| {
                let value =
                    if position == 0 { "(SELECT …)".to_owned() } else { format!("{} => (SELECT …)", input.name) };
                if input.required { value } else { format!("[{value}]") }
            })
            .collect();
        for role in self.roles().filter(|role| self.parameter(role.role).is_none()) {
            let value = if role.several { "ARRAY[…]".to_owned() } else { format!("'{}'", role.role) };
            parts.push(format!("[{} => {value}]", role.role));
        }
        for parameter in self.parameters {
            parts.push(match parameter.default {
                Some(default) => format!("[{} => {default}]", parameter.name),
                None => format!("{} => …", parameter.name),
            });
        }
        format!("{}({})", self.name, parts.join(", "))
    }
}

impl ColumnType {
    /// Returns the accepted types in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Flag => "boolean, or a number that is 0 or 1",
            Self::Quantity => "a number or boolean",
            Self::Text => "text",
            Self::Category => "text, boolean, integer or date",
            Self::Any => "any type",
        }
    }
}

impl ParameterKind {
    /// Returns the allowed values in words, for messages and docs.
    pub fn describe(&self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { min, max } if *max == i64::MAX => format!("an integer >= {min}"),
            Self::Integer { min, max } => format!("an integer in [{min}, {max}]"),
            Self::Float { min, max, open: true } if max.is_infinite() => format!("a number > {min}"),
            Self::Float { min, max, open: false } if max.is_infinite() => format!("a number >= {min}"),
            Self::Float { min, max, open: true } => format!("a number in ({min}, {max})"),
            Self::Float { min, max, open: false } => format!("a number in [{min}, {max}]"),
            Self::Text => "text".to_owned(),
            Self::Choice(words) => format!("one of {}", quoted(words)),
            Self::Words(words) => format!("one or an array of {}", quoted(words)),
            Self::Values => "an array of texts, integers or booleans, or an array of such arrays".to_owned(),
        }
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}
