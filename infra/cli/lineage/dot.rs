//! A graph as Graphviz text.

use std::fmt::Write as _;

use super::graph::{Edge, Graph, Port, Table};

/// Writes the graph; `dot -Tsvg` draws it.
pub(super) fn dot(graph: &Graph) -> String {
    let mut text = String::from(
        "digraph lineage {\n  rankdir=LR;\n  ranksep=1.2;\n  node [shape=plain, fontname=\"monospace\", fontsize=11];\n  \
         edge [fontname=\"monospace\", fontsize=9, color=\"#64748b\"];\n",
    );
    for (index, table) in graph.tables.iter().enumerate() {
        let _ = writeln!(text, "  t{index} [label=<{}>];", label(table));
    }
    for edge in &graph.edges {
        let _ = writeln!(text, "  {} -> {} [{}];", port(edge.from, "e"), port(edge.to, "w"), attributes(edge));
    }
    text.push_str("}\n");
    text
}

fn label(table: &Table) -> String {
    let unknown = table.version.is_none();
    let (style, fill) = match (unknown, table.is_target) {
        (true, _) => (" STYLE=\"dashed\"", "#ffffff"),
        (false, true) => ("", "#dbeafe"),
        (false, false) if table.is_file => ("", "#f1f5f9"),
        (false, false) => ("", "#f8fafc"),
    };
    let version = table.version.map(|version| format!(" @{version}")).unwrap_or_default();
    let mut text = format!("<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"4\"{style}>");
    let _ = write!(
        text,
        "<TR><TD PORT=\"rows\" BGCOLOR=\"{fill}\"><B>{}</B>{version}<BR/><FONT POINT-SIZE=\"9\">{}</FONT></TD></TR>",
        escaped(&table.name),
        escaped(&detail(table))
    );
    for (index, (name, data_type)) in table.columns.iter().enumerate() {
        let _ = write!(
            text,
            "<TR><TD PORT=\"c{index}\" ALIGN=\"LEFT\">{} <FONT COLOR=\"#64748b\">{}</FONT></TD></TR>",
            escaped(name),
            escaped(data_type)
        );
    }
    text + "</TABLE>"
}

fn detail(table: &Table) -> String {
    table.step.as_ref().map_or_else(|| table.detail.clone(), |step| format!("{}, step {step}", table.detail))
}

fn port(port: Port, side: &str) -> String {
    let place = port.column.map_or_else(|| "rows".to_owned(), |column| format!("c{column}"));
    format!("t{}:{place}:{side}", port.table)
}

fn attributes(edge: &Edge) -> String {
    let style = match (edge.masking, edge.is_direct()) {
        (true, _) => ", style=dashed",
        (false, true) => "",
        (false, false) => ", style=dotted",
    };
    format!("label=\"{}\"{style}", edge.label().replace('\\', "\\\\").replace('"', "\\\""))
}

/// Escapes a text for XML, and so for an HTML-like label.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
