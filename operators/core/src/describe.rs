//! An operator's spec as text for the terminal, Markdown for the docs, JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{PrivacyClaim, Spec};

/// Returns the Markdown page of an operator.
pub fn describe_markdown(spec: &Spec) -> String {
    let mut page =
        format!("# {}\n\n{}\n\n```sql\n{}\n```\n\n{}\n", spec.name, spec.summary, spec.example, spec.details.trim());
    let _ = write!(page, "\n## Call\n\n`{}`\n", spec.usage());
    for input in spec.inputs {
        let need = if input.required { "" } else { " (may be left out)" };
        let _ = write!(page, "\n## Input `{}`{need}\n\n{}\n\n", input.name, input.summary);
        page.push_str("| role (and option) | type | unit | nulls | needed | meaning |\n|---|---|---|---|---|---|\n");
        for role in input.columns {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} | {}{} |",
                role.role,
                role.kind.describe(),
                role.unit,
                if role.nullable { "allowed" } else { "refused" },
                if role.required { "yes" } else { "no" },
                role.meaning,
                if role.several { "; one name or an array" } else { "" },
            );
        }
    }
    if !spec.parameters.is_empty() {
        page.push_str("\n## Options\n\n| name | default | range | unit | meaning |\n|---|---|---|---|---|\n");
        for parameter in spec.parameters {
            let default = parameter.default.map_or_else(|| "required".to_owned(), |default| format!("`{default}`"));
            let _ = writeln!(
                page,
                "| `{}` | {default} | {} | {} | {} |",
                parameter.name,
                parameter.kind.describe(),
                parameter.unit,
                parameter.meaning
            );
        }
    }
    page.push_str(
        "\n## Output\n\n| column | type | unit | nulls | meaning | computed from |\n|---|---|---|---|---|---|\n",
    );
    for column in spec.output {
        let from: Vec<String> = column.from.iter().map(|(role, kind)| format!("{role} ({})", kind.name())).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            column.name,
            column.kind.describe(),
            column.unit,
            if column.nullable { "yes" } else { "no" },
            column.meaning,
            from.join(", ")
        );
    }
    let _ = write!(page, "\n## Privacy\n\n{}\n\n## Source\n\n{}\n", spec.privacy.describe(), spec.source);
    page
}

/// Returns the terminal form of an operator: the page without Markdown's table rules.
pub fn describe_text(spec: &Spec) -> String {
    let mut text = format!(
        "{} — {}\n\n  {}\n\nexample\n  {}\n",
        spec.name,
        spec.summary,
        spec.usage(),
        spec.example.replace('\n', "\n  ")
    );
    for input in spec.inputs {
        let _ = write!(text, "\ninput {} — {}\n", input.name, input.summary);
        for role in input.columns {
            let need = if role.required { "required" } else { "optional" };
            let _ = writeln!(text, "  {:<18} {:<38} {need:<9} {}", role.role, role.kind.describe(), role.meaning);
        }
    }
    if !spec.parameters.is_empty() {
        text.push_str("\noptions\n");
        for parameter in spec.parameters {
            let default = parameter.default.unwrap_or("required");
            let _ = writeln!(
                text,
                "  {:<18} default {default:<12} {} — {}",
                parameter.name,
                parameter.kind.describe(),
                parameter.meaning
            );
        }
    }
    text.push_str("\noutput\n");
    for column in spec.output {
        let _ = writeln!(text, "  {:<18} {:<10} {}", column.name, column.kind.describe(), column.meaning);
    }
    let _ = write!(text, "\nprivacy  {}\nsource   {}\n", spec.privacy.describe(), spec.source);
    text
}

/// Returns the whole spec as JSON.
pub fn describe_json(spec: &Spec) -> Value {
    json!({
        "name": spec.name,
        "family": spec.family,
        "version": spec.version,
        "summary": spec.summary,
        "details": spec.details.trim(),
        "usage": spec.usage(),
        "example": spec.example,
        "inputs": spec.inputs.iter().map(|input| json!({
            "name": input.name,
            "summary": input.summary,
            "required": input.required,
            "columns": input.columns.iter().map(|role| json!({
                "role": role.role, "type": role.kind.describe(), "unit": role.unit, "nullable": role.nullable,
                "required": role.required, "several": role.several, "meaning": role.meaning,
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "parameters": spec.parameters.iter().map(|parameter| json!({
            "name": parameter.name, "range": parameter.kind.describe(), "default": parameter.default,
            "unit": parameter.unit, "meaning": parameter.meaning,
        })).collect::<Vec<_>>(),
        "output": spec.output.iter().map(|column| json!({
            "name": column.name, "type": column.kind.describe(), "nullable": column.nullable, "unit": column.unit,
            "meaning": column.meaning,
            "from": column.from.iter().map(|(role, kind)| json!({"role": role, "kind": kind.name()})).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "privacy": spec.privacy.describe(),
        "source": spec.source,
    })
}

impl crate::OutputType {
    /// Returns the SQL type in words.
    pub fn describe(self) -> String {
        match self {
            Self::Float64 => "double".to_owned(),
            Self::UInt64 => "bigint unsigned".to_owned(),
            Self::Int64 => "bigint".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Utf8 => "text".to_owned(),
            Self::Doubles => "list of double".to_owned(),
            Self::EachOf(role) => format!("as `{role}`"),
        }
    }
}

impl PrivacyClaim {
    /// Returns the claim in words.
    pub fn describe(self) -> String {
        match self {
            Self::Exact => "none: results are exact and can reveal single rows".to_owned(),
            Self::Private(claim) => claim.to_owned(),
            Self::Heuristic(caveat) => format!("no guarantee: {caveat}"),
        }
    }
}
