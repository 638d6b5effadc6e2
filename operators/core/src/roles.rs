//! Which column plays which role: the spec, the options and the input schemas brought together.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{
    ColumnOrigin, ColumnRole, ColumnType, Literal, Literals, OperatorError, OutputType, PrivacyClaim, Result, Spec,
    nearest,
};

/// A column that plays a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundColumn {
    /// The role.
    pub role: &'static str,
    /// The index of the input relation.
    pub input: usize,
    /// The index of the column within the relation.
    pub index: usize,
    /// The column's name.
    pub name: String,
    /// The column's type.
    pub data_type: DataType,
}

/// All columns of a call that play a role, checked for presence and type.
#[derive(Debug, Clone)]
pub struct Roles {
    spec: &'static Spec,
    columns: Vec<BoundColumn>,
}

impl Roles {
    /// Finds the column of every role in the input schemas.
    ///
    /// # Errors
    /// [`OperatorError::Column`] if a column is missing, [`OperatorError::ColumnType`] if it has a
    /// type the role does not take, [`OperatorError::Missing`] if a required role that has no default
    /// column is not named, or no number column is left for a role of numbers.
    pub fn resolve(spec: &'static Spec, literals: &Literals, inputs: &[SchemaRef]) -> Result<Self> {
        let mut columns = Vec::new();
        for (input, (input_spec, schema)) in spec.inputs.iter().zip(inputs).enumerate() {
            for role in input_spec.columns {
                let mut names = literals.texts(role.role);
                let by_name = !role.several && spec.parameter(role.role).is_none();
                if names.is_empty() && by_name && (role.required || schema.index_of(role.role).is_ok()) {
                    names.push(role.role);
                }
                if names.is_empty() && role.several && role.kind == ColumnType::Number {
                    continue;
                }
                if names.is_empty() && role.required {
                    return Err(OperatorError::Missing {
                        operator: spec.name,
                        what: format!("option `{}` (a column name or an array of column names)", role.role),
                        usage: spec.usage(),
                    });
                }
                for name in names {
                    let (index, field) = find(spec, input_spec.name, role, name, schema)?;
                    check_type(spec, role, field)?;
                    columns.push(BoundColumn {
                        role: role.role,
                        input,
                        index,
                        name: field.name().clone(),
                        data_type: field.data_type().clone(),
                    });
                }
            }
        }
        for (input, (input_spec, schema)) in spec.inputs.iter().zip(inputs).enumerate() {
            for role in input_spec.columns {
                if role.several && role.kind == ColumnType::Number && literals.texts(role.role).is_empty() {
                    add_numbers_left(spec, input, role, schema, &mut columns)?;
                }
            }
        }
        Ok(Self { spec, columns })
    }

    /// Returns the column that plays a role, if one does.
    pub fn column(&self, role: &str) -> Option<&BoundColumn> {
        self.columns.iter().find(|column| column.role == role)
    }

    /// Returns the column that plays a required role.
    ///
    /// # Errors
    /// [`OperatorError::Internal`] if the spec does not require the role.
    pub fn required(&self, role: &'static str) -> Result<&BoundColumn> {
        self.column(role).ok_or_else(|| OperatorError::Internal {
            operator: self.spec.name,
            problem: format!("role `{role}` is not bound"),
        })
    }

    /// Returns all columns that play a role, in the order the caller named them.
    pub fn columns(&self, role: &str) -> Vec<&BoundColumn> {
        self.columns.iter().filter(|column| column.role == role).collect()
    }

    /// Returns which columns play the roles, as options would name them: what lineage keeps of a call that named none.
    #[must_use]
    pub fn as_options(&self) -> Literals {
        let mut options = Literals::default();
        for role in self.spec.inputs.iter().flat_map(|input| input.columns) {
            let names: Vec<Literal> =
                self.columns(role.role).iter().map(|column| Literal::Text(column.name.clone())).collect();
            match (role.several, names.first()) {
                (_, None) => {}
                (true, _) => options.insert(role.role, Literal::List(names)),
                (false, Some(name)) => options.insert(role.role, name.clone()),
            }
        }
        options
    }

    /// Returns the output schema that the spec promises for these inputs.
    ///
    /// # Errors
    /// [`OperatorError::Data`] if a repeated role has the name of another output column.
    pub fn output_schema(&self) -> Result<SchemaRef> {
        let mut fields: Vec<Field> = Vec::new();
        for column in self.spec.output {
            let added: Vec<Field> = match column.kind {
                OutputType::EachOf(role) => self
                    .columns(role)
                    .iter()
                    .map(|bound| Field::new(&bound.name, bound.data_type.clone(), column.nullable))
                    .collect(),
                fixed => vec![Field::new(column.name, data_type(fixed), column.nullable)],
            };
            fields.extend(added);
        }
        for (position, field) in fields.iter().enumerate() {
            if fields[..position].iter().any(|earlier| earlier.name() == field.name()) {
                return Err(OperatorError::Data {
                    operator: self.spec.name,
                    problem: format!(
                        "column `{}` would stand twice in the output; give the input column another name",
                        field.name()
                    ),
                });
            }
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// Returns, for each output column in order, the input columns it is computed from.
    pub fn column_lineage(&self) -> Vec<Vec<ColumnOrigin>> {
        let mut lineage = Vec::new();
        for column in self.spec.output {
            if let OutputType::EachOf(role) = column.kind {
                for bound in self.columns(role) {
                    let kind = column.from.first().map_or(crate::Transformation::Identity, |(_, kind)| *kind);
                    lineage.push(vec![self.origin(bound, kind)]);
                }
            } else {
                let origins = column
                    .from
                    .iter()
                    .flat_map(|(role, kind)| self.columns(role).into_iter().map(|bound| self.origin(bound, *kind)));
                lineage.push(origins.collect());
            }
        }
        lineage
    }

    /// Returns the input columns that decide which rows the output has.
    pub fn indirect_lineage(&self) -> Vec<ColumnOrigin> {
        self.spec
            .indirect
            .iter()
            .flat_map(|(role, kind)| self.columns(role).into_iter().map(|bound| self.origin(bound, *kind)))
            .collect()
    }

    fn origin(&self, bound: &BoundColumn, kind: crate::Transformation) -> ColumnOrigin {
        let masking = matches!(self.spec.privacy, PrivacyClaim::Private(_));
        ColumnOrigin { input: bound.input, column: bound.name.clone(), kind, masking }
    }
}

/// Gives the role every number column of the relation that plays no other.
fn add_numbers_left(
    spec: &'static Spec,
    input: usize,
    role: &'static ColumnRole,
    schema: &Schema,
    columns: &mut Vec<BoundColumn>,
) -> Result<()> {
    let taken: Vec<usize> = columns.iter().filter(|column| column.input == input).map(|column| column.index).collect();
    let left = schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(index, field)| field.data_type().is_numeric() && !taken.contains(index));
    let before = columns.len();
    columns.extend(left.map(|(index, field)| BoundColumn {
        role: role.role,
        input,
        index,
        name: field.name().clone(),
        data_type: field.data_type().clone(),
    }));
    if columns.len() == before && role.required {
        return Err(OperatorError::Missing {
            operator: spec.name,
            what: format!("at least one number column to play `{}`", role.role),
            usage: spec.usage(),
        });
    }
    Ok(())
}

fn find<'a>(
    spec: &'static Spec,
    relation: &'static str,
    role: &'static ColumnRole,
    name: &str,
    schema: &'a Schema,
) -> Result<(usize, &'a Field)> {
    if let Some(found) = schema.column_with_name(name) {
        return Ok(found);
    }
    let available: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Err(OperatorError::Column {
        operator: spec.name,
        relation,
        column: name.to_owned(),
        option: role.role,
        nearest: nearest(name, available.iter().copied()),
        available: available.join(", "),
    })
}

fn check_type(spec: &'static Spec, role: &'static ColumnRole, field: &Field) -> Result<()> {
    let found = field.data_type();
    let is_text = matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let is_number = found.is_numeric();
    let fits = match role.kind {
        ColumnType::Number => is_number,
        ColumnType::Flag | ColumnType::Quantity => is_number || *found == DataType::Boolean,
        ColumnType::Text => is_text,
        ColumnType::Category => {
            is_text
                || found.is_integer()
                || matches!(found, DataType::Boolean | DataType::Date32 | DataType::Date64 | DataType::Dictionary(_, _))
        }
        ColumnType::Any => true,
    };
    if fits {
        return Ok(());
    }
    Err(OperatorError::ColumnType {
        operator: spec.name,
        column: field.name().clone(),
        role: role.role,
        allowed: role.kind.describe(),
        found: found.to_string(),
    })
}

fn data_type(kind: OutputType) -> DataType {
    match kind {
        OutputType::Float64 => DataType::Float64,
        OutputType::UInt64 => DataType::UInt64,
        OutputType::Int64 => DataType::Int64,
        OutputType::Boolean => DataType::Boolean,
        OutputType::Utf8 | OutputType::EachOf(_) => DataType::Utf8,
        OutputType::Doubles => DataType::List(Arc::new(Field::new("item", DataType::Float64, false))),
    }
}
