use super::{Contract, Format, Kind};
use crate::testing::file;

fn refusal(toml: &str) -> String {
    Contract::parse(toml, "lung.toml").unwrap_err().to_string()
}

const LUNG: &str = r#"
table = "clinical.lung"
subject_key = "patient"
key = ["patient"]
[[column]]
name = "patient"
type = "bigint"
identifying = true
[[column]]
name = "time"
type = "double"
unit = "days"
meaning = "time to death or censoring"
nullable = false
min = 0
"#;

#[test]
fn a_contract_gives_schema_policy_and_columns() {
    let contract = Contract::parse(LUNG, "lung.toml").unwrap();
    let schema = contract.schema();
    assert_eq!(schema.field(1).metadata()["unit"], "days");
    assert!(!schema.field(0).is_nullable(), "a key is never null");
    assert_eq!(contract.policy().identifying, ["patient"]);
    assert_eq!(contract.policy().subject_key.as_deref(), Some("patient"));
    assert_eq!(contract.quarantine_policy().identifying, ["raw"]);
    assert_eq!(contract.columns()[1].data_type, "double");
    assert_eq!(contract.key(), ["patient"]);
}

#[test]
fn the_digest_is_of_the_content_not_of_the_layout() {
    let digest = |toml: &str| Contract::parse(toml, "x").unwrap().digest();
    assert_eq!(digest(LUNG), digest(&format!("# comment\n{LUNG}\n\n")));
    assert_ne!(digest(LUNG), digest(&LUNG.replace("min = 0", "min = 1")));
}

#[test]
fn errors_say_where_and_what_is_meant() {
    assert_eq!(
        refusal("[[column]]\nname = 'a'\ntipe = 'int'\n").split(", expected").next().unwrap(),
        "lung.toml:3:1: unknown field `tipe`"
    );
    assert!(refusal("[[column]]\nname = 'a'\ntipe = 'int'\n").ends_with("did you mean `type`?"));
    let text = refusal("\n[[column]]\nname = 'a'\ntype = 'string'\n");
    assert!(text.starts_with("lung.toml:2:1: column `a`: unknown type `string`"), "{text}");
    assert!(text.ends_with("did you mean `text`?"), "{text}");
    assert!(refusal("[[column]]\nname = 'a'\ntype = 'decimal(3,9)'\n").contains("scale 0 to the digits"));
    assert!(refusal("key = ['patent']\n[[column]]\nname='patient'\ntype='int'\n").ends_with("did you mean `patient`?"));
    assert!(refusal("[[column]]\nname='a'\ntype='text'\nmin=1\n").contains("`min` and `max` are for numbers"));
    assert!(refusal("[[column]]\nname='a'\ntype='int'\nmin=2\nmax=1\n").contains("`min` is above `max`"));
    assert!(refusal("[[column]]\nname='a'\ntype='int'\nmin='x'\n").contains("not a value of type int"));
    assert!(refusal("[[column]]\nname='a'\ntype='double'\ncategories=[1.5]\n").contains("use `min` and `max`"));
    assert!(refusal("[[column]]\nname='a'\ntype='text'\npattern='('\n").contains("`pattern`"));
    assert!(refusal("[[column]]\nname='a'\ntype='date'\nformat='%Q'\n").contains("strftime"));
    assert!(refusal("[[column]]\nname='a'\ntype='int'\n[[column]]\nname='a'\ntype='int'\n").contains("twice"));
    assert!(refusal("table = 'a.b'").contains("names no column"));
    assert!(refusal("[limits]\nfail_share = 5\n[[column]]\nname='a'\ntype='int'").contains("share of the rows"));
    assert!(refusal("[format]\nkind = 'xlsx'\n").contains("unknown variant `xlsx`"));
    assert!(refusal("table = ").starts_with("lung.toml:1:"));
}

fn inferred(name: &str, text: &str) -> Vec<String> {
    let (_folder, path) = file(name, text.as_bytes());
    let contract = Contract::infer(&path, &Format::default()).unwrap();
    contract.columns().iter().map(|column| format!("{} {}", column.name, column.data_type)).collect()
}

#[test]
fn types_are_inferred_from_the_data() {
    let text = "id;zip;x;ok;day;at;note;none\n1;01234;1.5;true;2020-01-01;2020-01-01T00:00:00Z;a;\n2;99999;NA;FALSE;;2020-01-02;\"b;c\";NA\n";
    let expected =
        ["id bigint", "zip text", "x double", "ok boolean", "day date", "at timestamp", "note text", "none text"];
    assert_eq!(inferred("t.csv", text), expected);
    assert_eq!(inferred("t.tsv", &text.replace(';', "\t").replace("\"b\tc\"", "b")), expected);
    let lines = "{\"a\":1,\"b\":\"x\"}\n{\"a\":2.5,\"c\":true}\n";
    assert_eq!(inferred("t.ndjson", lines), ["a double", "b text", "c boolean"]);
    assert_eq!(inferred("r.csv", "\"\",\"v\"\n\"1\",2\n"), ["column1 bigint", "v bigint"]);
}

#[test]
fn the_kind_comes_from_the_name_behind_a_compression_suffix() {
    let kind = |name: &str| Kind::of(name.as_ref(), name);
    assert_eq!(kind("a.b.csv.gz").unwrap(), Kind::Csv);
    assert_eq!(kind("a.JSONL.zst").unwrap(), Kind::Ndjson);
    assert_eq!(kind("a.parquet").unwrap(), Kind::Parquet);
    assert!(kind("a.xlsx").unwrap_err().to_string().contains("set `kind`"));
}
