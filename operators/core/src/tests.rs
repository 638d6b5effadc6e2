//! What a caller sees when options, columns or types are wrong, and what the docs page holds.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, Literal, Literals, OperatorError, OutputType, Parameter,
    ParameterKind, PrivacyClaim, Roles, Spec, Transformation, describe_json, describe_markdown, describe_text,
};

const DOSE: ColumnRole = ColumnRole {
    role: "dose",
    kind: ColumnType::Number,
    unit: "mg",
    nullable: false,
    required: true,
    several: false,
    meaning: "the dose given",
};

static DOSES: Spec = SPEC;

const SPEC: Spec = Spec {
    name: "mean_dose",
    family: "tests",
    version: 1,
    summary: "Mean dose of each group.",
    details: "The sum of doses over their number.",
    inputs: &[InputSpec {
        name: "rows",
        summary: "one row for each dose",
        required: true,
        columns: &[
            DOSE,
            ColumnRole {
                role: "by",
                kind: ColumnType::Category,
                unit: "",
                nullable: true,
                required: true,
                several: true,
                meaning: "the groups",
            },
        ],
    }],
    parameters: &[
        Parameter {
            name: "trim",
            kind: ParameterKind::Float { min: 0.0, max: 0.5, open: false },
            default: Some("0.1"),
            unit: "",
            meaning: "share of rows left out at each end",
        },
        Parameter {
            name: "scale",
            kind: ParameterKind::Choice(&["linear", "log"]),
            default: Some("'linear'"),
            unit: "",
            meaning: "the scale of averaging",
        },
        Parameter {
            name: "rounds",
            kind: ParameterKind::Integer { min: 1, max: i64::MAX },
            default: None,
            unit: "",
            meaning: "repetitions",
        },
    ],
    output: &[
        ColumnSpec {
            name: "by",
            kind: OutputType::EachOf("by"),
            nullable: true,
            unit: "",
            meaning: "the group",
            from: &[("by", Transformation::Identity)],
        },
        ColumnSpec {
            name: "mean",
            kind: OutputType::Float64,
            nullable: true,
            unit: "mg",
            meaning: "the mean; null without rows",
            from: &[("dose", Transformation::Aggregation)],
        },
    ],
    indirect: &[("by", Transformation::GroupBy)],
    privacy: PrivacyClaim::Exact,
    source: "Textbook",
    example: "SELECT * FROM mean_dose((SELECT dose, sex FROM doses), by => 'sex', rounds => 1)",
};

fn options(pairs: &[(&str, Literal)]) -> Literals {
    let mut literals = Literals::default();
    literals.insert("rounds", Literal::Integer(1));
    for (name, value) in pairs {
        literals.insert(*name, value.clone());
    }
    literals
}

fn text(word: &str) -> Literal {
    Literal::Text(word.to_owned())
}

fn refusal(pairs: &[(&str, Literal)]) -> String {
    options(pairs).check(&DOSES).unwrap_err().to_string()
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    let fields: Vec<Field> = fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
    Arc::new(Schema::new(fields))
}

fn resolve(pairs: &[(&str, Literal)], fields: &[(&str, DataType)]) -> Result<Roles, OperatorError> {
    Roles::resolve(&DOSES, &options(pairs).check(&DOSES)?, &[schema(fields)])
}

#[test]
fn defaults_are_filled_in() {
    let checked = options(&[]).check(&DOSES).unwrap();
    assert_eq!(checked.float("trim"), Some(0.1));
    assert_eq!(checked.text("scale"), Some("linear"));
}

#[test]
fn a_misspelt_option_is_named_with_the_nearest() {
    assert_eq!(
        refusal(&[("scal", text("log"))]),
        "mean_dose has no option `scal` (did you mean `scale`?); its options are: trim, scale, rounds, dose, by, rows"
    );
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    assert_eq!(
        refusal(&[("trim", Literal::Float(0.7))]),
        "option `trim` of mean_dose must be a number in [0, 0.5], got 0.7"
    );
    assert!(refusal(&[("trim", Literal::Float(f64::NAN))]).ends_with("got NaN"));
    assert_eq!(
        refusal(&[("scale", text("cubic"))]),
        "option `scale` of mean_dose must be one of 'linear', 'log', got 'cubic'"
    );
    assert!(refusal(&[("rounds", Literal::Integer(0))]).contains("an integer >= 1"));
    assert!(refusal(&[("dose", Literal::List(vec![text("a")]))]).contains("a column name as text"));
}

#[test]
fn a_required_option_is_missed_with_the_call() {
    let message = Literals::default().check(&DOSES).unwrap_err().to_string();
    assert!(message.starts_with("mean_dose needs option `rounds` (an integer >= 1); the call is: mean_dose("));
}

#[test]
fn a_missing_column_is_named_with_those_that_exist() {
    let fields = [("doze", DataType::Float64), ("sex", DataType::Utf8)];
    let message = resolve(&[("by", text("sex"))], &fields).unwrap_err().to_string();
    assert_eq!(
        message,
        "mean_dose: relation `rows` has no column `dose` to play `dose` (did you mean `doze`?); it has: doze, sex. \
         Add the column to the SELECT list or name another with `dose => '...'`"
    );
}

#[test]
fn a_required_role_of_several_columns_must_be_named() {
    let error = resolve(&[], &[("dose", DataType::Float64)]).unwrap_err();
    assert!(error.to_string().starts_with("mean_dose needs option `by`"), "{error}");
}

#[test]
fn a_column_of_another_type_is_refused() {
    let fields = [("dose", DataType::Utf8), ("sex", DataType::Utf8)];
    let message = resolve(&[("by", text("sex"))], &fields).unwrap_err().to_string();
    assert_eq!(message, "mean_dose: column `dose` plays `dose` and must be a number, it is Utf8");
}

static WIDE: Spec = Spec {
    name: "spread",
    inputs: &[InputSpec {
        name: "rows",
        summary: "one row for each cell",
        required: true,
        columns: &[
            ColumnRole { role: "features", several: true, required: true, kind: ColumnType::Number, ..DOSE },
            ColumnRole { role: "weight", required: false, ..DOSE },
        ],
    }],
    parameters: &[],
    output: &[],
    indirect: &[],
    ..SPEC
};

fn features(pairs: &[(&str, Literal)], fields: &[(&str, DataType)]) -> Result<Vec<String>, OperatorError> {
    let mut literals = Literals::default();
    for (name, value) in pairs {
        literals.insert(*name, value.clone());
    }
    let roles = Roles::resolve(&WIDE, &literals.check(&WIDE)?, &[schema(fields)])?;
    Ok(roles.columns("features").iter().map(|column| column.name.clone()).collect())
}

#[test]
fn a_role_of_several_numbers_takes_every_number_column_left() {
    let fields =
        [("a", DataType::Int64), ("label", DataType::Utf8), ("weight", DataType::Float64), ("b", DataType::Float32)];
    assert_eq!(features(&[], &fields).unwrap(), ["a", "b"]);
    assert_eq!(features(&[("weight", text("b"))], &fields).unwrap(), ["a", "weight"]);
    assert_eq!(features(&[("features", text("b"))], &fields).unwrap(), ["b"]);
    let error = features(&[], &fields[1..3]).unwrap_err().to_string();
    assert!(error.starts_with("spread needs at least one number column to play `features`"), "{error}");
}

#[test]
fn a_role_of_two_inputs_is_one_option() {
    const SIDE: InputSpec =
        InputSpec { name: "left", summary: "one row for each dose", required: true, columns: &[DOSE] };
    static TWO: Spec = Spec {
        name: "compare_doses",
        inputs: &[SIDE, InputSpec { name: "right", ..SIDE }],
        parameters: &[],
        output: &[],
        indirect: &[],
        ..SPEC
    };
    assert_eq!(TWO.option_names().collect::<Vec<_>>(), ["dose", "left", "right"]);
    assert_eq!(TWO.usage(), "compare_doses((SELECT …), right => (SELECT …), [dose => 'dose'])");
    let mut literals = Literals::default();
    literals.insert("dose", text("mg"));
    let inputs = [schema(&[("mg", DataType::Int64)]), schema(&[("id", DataType::Int64), ("mg", DataType::Int64)])];
    let roles = Roles::resolve(&TWO, &literals.check(&TWO).unwrap(), &inputs).unwrap();
    let places: Vec<(usize, usize)> = roles.columns("dose").iter().map(|column| (column.input, column.index)).collect();
    assert_eq!(places, [(0, 0), (1, 1)]);
}

#[test]
fn roles_that_were_taken_by_default_are_told_as_options() {
    let fields = [("dose", DataType::Float64), ("ward", DataType::Utf8)];
    let roles = resolve(&[("by", Literal::List(vec![text("ward")]))], &fields).unwrap();
    let mut options = Literals::default();
    options.insert("dose", text("mg"));
    let merged = options.clone().or(roles.as_options());
    assert_eq!(merged.text("dose"), Some("mg"), "what was said stays");
    assert_eq!(Literals::default().or(roles.as_options()).text("dose"), Some("dose"));
    assert_eq!(merged.texts("by"), ["ward"]);
}

#[test]
fn an_option_may_take_a_number_or_the_name_of_a_column() {
    static SPLIT: Spec = Spec {
        name: "split_doses",
        inputs: &[InputSpec {
            name: "rows",
            summary: "one row for each dose",
            required: true,
            columns: &[DOSE, ColumnRole { role: "rounds", required: false, kind: ColumnType::Category, ..DOSE }],
        }],
        output: &[],
        indirect: &[],
        ..SPEC
    };
    let fields = [schema(&[("dose", DataType::Float64), ("rounds", DataType::Int64), ("clinic", DataType::Utf8)])];
    let column = |value: Literal| {
        let literals = options(&[("rounds", value)]).check(&SPLIT)?;
        let roles = Roles::resolve(&SPLIT, &literals, &fields)?;
        Ok::<_, OperatorError>((literals.integer("rounds"), roles.column("rounds").map(|column| column.index)))
    };
    assert_eq!(column(Literal::Integer(3)).unwrap(), (Some(3), None));
    assert_eq!(column(text("clinic")).unwrap(), (None, Some(2)));
    assert_eq!(column(text("rounds")).unwrap(), (None, Some(1)));
    assert!(column(text("clinics")).unwrap_err().to_string().contains("did you mean `clinic`?"));
    assert_eq!(
        column(Literal::Integer(0)).unwrap_err().to_string(),
        "option `rounds` of split_doses must be an integer >= 1, or a column name as text, got 0"
    );
    assert_eq!(SPLIT.option_names().filter(|name| *name == "rounds").count(), 1);
    assert_eq!(SPLIT.usage().matches("rounds").count(), 1);
}

#[test]
fn output_and_lineage_follow_the_bound_columns() {
    let fields = [("mg", DataType::Int64), ("sex", DataType::Utf8), ("arm", DataType::Boolean)];
    let by = Literal::List(vec![text("arm"), text("sex")]);
    let roles = resolve(&[("dose", text("mg")), ("by", by)], &fields).unwrap();
    let names: Vec<String> = roles.output_schema().unwrap().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["arm", "sex", "mean"]);
    let lineage = roles.column_lineage();
    assert_eq!(lineage[2][0].column, "mg");
    assert_eq!(lineage[0][0].kind, Transformation::Identity);
    assert_eq!(roles.indirect_lineage().len(), 2);
}

#[test]
fn a_group_column_named_as_an_output_column_is_refused() {
    let fields = [("dose", DataType::Int64), ("mean", DataType::Utf8)];
    let error = resolve(&[("by", text("mean"))], &fields).unwrap().output_schema().unwrap_err();
    assert!(error.to_string().contains("column `mean` would stand twice"), "{error}");
}

#[test]
fn the_docs_page_holds_the_whole_spec() {
    let expected = "\
# mean_dose

Mean dose of each group.

```sql
SELECT * FROM mean_dose((SELECT dose, sex FROM doses), by => 'sex', rounds => 1)
```

The sum of doses over their number.

## Call

`mean_dose((SELECT …), [dose => 'dose'], [by => ARRAY[…]], [trim => 0.1], [scale => 'linear'], rounds => …)`

## Input `rows`

one row for each dose

| role (and option) | type | unit | nulls | needed | meaning |
|---|---|---|---|---|---|
| `dose` | a number | mg | refused | yes | the dose given |
| `by` | text, boolean, integer or date |  | allowed | yes | the groups; one name or an array |

## Options

| name | default | range | unit | meaning |
|---|---|---|---|---|
| `trim` | `0.1` | a number in [0, 0.5] |  | share of rows left out at each end |
| `scale` | `'linear'` | one of 'linear', 'log' |  | the scale of averaging |
| `rounds` | required | an integer >= 1 |  | repetitions |

## Output

| column | type | unit | nulls | meaning | computed from |
|---|---|---|---|---|---|
| `by` | as `by` |  | yes | the group | by (IDENTITY) |
| `mean` | double | mg | yes | the mean; null without rows | dose (AGGREGATION) |

## Privacy

none: results are exact and can reveal single rows

## Source

Textbook
";
    assert_eq!(describe_markdown(&DOSES), expected);
}

#[test]
fn the_terminal_and_program_forms_name_every_part() {
    let page = describe_text(&DOSES);
    let json = describe_json(&DOSES);
    for name in ["dose", "by", "trim", "scale", "rounds", "mean"] {
        assert!(page.contains(name), "{name} is not in the terminal form");
        assert!(json.to_string().contains(name), "{name} is not in the JSON form");
    }
    assert_eq!(json["inputs"][0]["columns"][1]["several"], true);
}

#[test]
fn an_option_may_take_several_words() {
    static CHOOSING: Spec = Spec {
        parameters: &[Parameter {
            name: "rounds",
            kind: ParameterKind::Words(&["first", "second", "third"]),
            default: Some("ARRAY['second', 'first']"),
            unit: "",
            meaning: "the rounds kept",
        }],
        ..SPEC
    };
    let check = |value: Literal| {
        let mut literals = Literals::default();
        literals.insert("rounds", value);
        literals.check(&CHOOSING)
    };
    assert_eq!(check(Literal::Null).unwrap().texts("rounds"), ["second", "first"]);
    assert_eq!(check(text("third")).unwrap().texts("rounds"), ["third"]);
    let list = |words: &[&str]| Literal::List(words.iter().map(|word| text(word)).collect());
    assert_eq!(check(list(&["third", "first"])).unwrap().texts("rounds"), ["third", "first"]);
    assert_eq!(
        check(list(&["third", "fourth"])).unwrap_err().to_string(),
        "option `rounds` of mean_dose must be one or an array of 'first', 'second', 'third', got ARRAY['third', 'fourth']"
    );
    assert!(check(list(&[])).is_err() && check(Literal::Integer(1)).is_err());
}

#[test]
fn an_option_may_take_any_values() {
    const LEVELS: Parameter = Parameter {
        name: "levels",
        kind: ParameterKind::Values,
        default: Some("NULL"),
        unit: "",
        meaning: "values of each column",
    };
    static WITH_LEVELS: Spec = Spec { parameters: &[LEVELS], ..SPEC };
    let given = |value: Literal| {
        let mut literals = Literals::default();
        literals.insert("levels", value);
        literals.check(&WITH_LEVELS).map_err(|error| error.to_string())
    };
    let sexes = Literal::List(vec![text("female"), text("male")]);
    let stages = Literal::List(vec![Literal::Integer(1), Literal::Boolean(true)]);
    assert!(given(sexes.clone()).is_ok() && given(Literal::List(vec![sexes.clone(), stages])).is_ok());
    for refused in [text("male"), Literal::List(Vec::new()), Literal::List(vec![Literal::Float(0.5)])] {
        assert_eq!(
            given(refused.clone()).unwrap_err(),
            format!(
                "option `levels` of mean_dose must be an array of texts, integers or booleans, or an array of such arrays, got {refused}"
            )
        );
    }
    assert!(given(Literal::List(vec![sexes, text("I")])).is_err(), "values and arrays do not mix");
    assert!(given(Literal::Null).unwrap().get("levels").is_none());
}

#[test]
fn a_quantity_takes_booleans_and_is_never_played_by_what_is_left() {
    static EXPOSURES: Spec = Spec {
        inputs: &[InputSpec {
            name: "rows",
            summary: "",
            required: true,
            columns: &[
                ColumnRole { role: "exposure", kind: ColumnType::Quantity, several: true, ..DOSE },
                ColumnRole { role: "held", kind: ColumnType::Quantity, several: true, required: false, ..DOSE },
            ],
        }],
        parameters: &[],
        ..SPEC
    };
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("smokes", DataType::Boolean, true),
        Field::new("age", DataType::Int64, true),
        Field::new("ward", DataType::Utf8, true),
    ]));
    let resolve = |column: Option<&str>| {
        let mut literals = Literals::default();
        if let Some(column) = column {
            literals.insert("exposure", text(column));
        }
        Roles::resolve(&EXPOSURES, &literals, std::slice::from_ref(&schema))
    };
    let roles = resolve(Some("smokes")).unwrap();
    assert_eq!((roles.columns("exposure").len(), roles.columns("held").len()), (1, 0));
    assert!(resolve(None).unwrap_err().to_string().contains("option `exposure`"));
    let refused = resolve(Some("ward")).unwrap_err().to_string();
    assert_eq!(refused, "mean_dose: column `ward` plays `exposure` and must be a number or boolean, it is Utf8");
}
