//! Trees drawn with lines.

use serde::Serialize;

/// A node with what hangs below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Node {
    /// What the line says.
    #[serde(skip)]
    pub(crate) text: String,
    /// The same for programs.
    #[serde(flatten)]
    pub(crate) fact: serde_json::Value,
    /// What hangs below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// Makes a node without children.
    pub(crate) fn new(text: impl Into<String>, fact: serde_json::Value) -> Self {
        Self { text: text.into(), fact, children: Vec::new() }
    }

    /// Draws the tree, one line for each node.
    pub(crate) fn draw(&self) -> String {
        let mut lines = vec![self.text.clone()];
        self.draw_children("", &mut lines);
        lines.join("\n")
    }

    fn draw_children(&self, indent: &str, lines: &mut Vec<String>) {
        for (index, child) in self.children.iter().enumerate() {
            let is_last = index + 1 == self.children.len();
            let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            lines.push(format!("{indent}{branch}{}", child.text));
            child.draw_children(&format!("{indent}{below}"), lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn branches_are_joined_by_lines() {
        let mut root = Node::new("a", json!({}));
        let mut first = Node::new("b", json!({}));
        first.children.push(Node::new("c", json!({"n": 1})));
        root.children = vec![first, Node::new("d", json!({}))];
        assert_eq!(root.draw(), "a\n├─ b\n│  └─ c\n└─ d");
        assert_eq!(serde_json::to_value(&root).unwrap(), json!({"children": [{"children": [{"n": 1}]}, {}]}));
    }
}
