//! As much of SQL's tokens as the editor needs: colours, and whether a statement is complete.

use std::sync::{Arc, RwLock};

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText, ValidationResult, Validator};

use super::vocabulary::{KEYWORDS, Vocabulary};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// A number.
    Number,
    /// A quoted text; open if its end is missing.
    Text {
        /// True if the closing quote is missing.
        open: bool,
    },
    /// A comment; open if its end is missing.
    Comment {
        /// True if the closing mark is missing.
        open: bool,
    },
    /// White space.
    Space,
    /// Anything else, one character.
    Sign,
}

/// A piece of the text; all pieces together are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

/// Splits a text into tokens.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (length, kind) = measure(rest, first);
        let (token, after) = rest.split_at(length);
        found.push(Token { text: token, kind });
        rest = after;
    }
    found
}

/// Returns the length of the first token in bytes, and its kind.
fn measure(text: &str, first: char) -> (usize, Kind) {
    let run = |fits: &dyn Fn(char) -> bool| text.find(|character| !fits(character)).unwrap_or(text.len());
    match first {
        '\'' | '"' => {
            let end = closing_quote(text, first);
            (end.unwrap_or(text.len()), Kind::Text { open: end.is_none() })
        }
        '-' if text.starts_with("--") => (text.find('\n').unwrap_or(text.len()), Kind::Comment { open: false }),
        '/' if text.starts_with("/*") => {
            let end = text.find("*/").map(|end| end + 2);
            (end.unwrap_or(text.len()), Kind::Comment { open: end.is_none() })
        }
        _ if first.is_whitespace() => (run(&char::is_whitespace), Kind::Space),
        _ if first.is_ascii_digit() => {
            (run(&|character| character.is_ascii_alphanumeric() || character == '.'), Kind::Number)
        }
        _ if first.is_alphabetic() || first == '_' => {
            (run(&|character| character.is_alphanumeric() || character == '_'), Kind::Word)
        }
        _ => (first.len_utf8(), Kind::Sign),
    }
}

/// Returns where a quoted text ends; a doubled quote stands for itself.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// Says whether Enter runs the text or begins a new line.
pub(super) struct SqlValidator;

impl Validator for SqlValidator {
    fn validate(&self, text: &str) -> ValidationResult {
        if is_complete(text) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

fn is_complete(text: &str) -> bool {
    if text.trim().is_empty() || text.trim_start().starts_with('\\') {
        return true;
    }
    let tokens = tokens(text);
    let is_open = |token: &Token<'_>| matches!(token.kind, Kind::Text { open: true } | Kind::Comment { open: true });
    let last = tokens.iter().rev().find(|token| !matches!(token.kind, Kind::Space | Kind::Comment { .. }));
    !tokens.iter().any(is_open) && last.is_some_and(|last| last.text == ";")
}

/// Colours keywords, functions, numbers, texts and comments.
pub(super) struct SqlHighlighter {
    vocabulary: Arc<RwLock<Vocabulary>>,
    colours: bool,
}

impl SqlHighlighter {
    pub(super) fn new(vocabulary: Arc<RwLock<Vocabulary>>, colours: bool) -> Self {
        Self { vocabulary, colours }
    }

    fn style(&self, token: Token<'_>) -> Style {
        if !self.colours {
            return Style::new();
        }
        match token.kind {
            Kind::Number => Style::new().fg(Color::Yellow),
            Kind::Text { .. } => Style::new().fg(Color::Green),
            Kind::Comment { .. } => Style::new().dimmed(),
            Kind::Word if KEYWORDS.contains(&token.text.to_uppercase().as_str()) => Style::new().fg(Color::Blue).bold(),
            Kind::Word if self.vocabulary.read().is_ok_and(|known| known.is_function(token.text)) => {
                Style::new().fg(Color::Cyan)
            }
            Kind::Word | Kind::Space | Kind::Sign => Style::new(),
        }
    }
}

impl Highlighter for SqlHighlighter {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        for token in tokens(line) {
            styled.push((self.style(token), token.text.to_owned()));
        }
        styled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_together_are_the_text() {
        let text = "SELECT 'it''s', \"a b\", 1.5e3 -- rest\nFROM x /* open";
        let tokens = tokens(text);
        assert_eq!(tokens.iter().map(|token| token.text).collect::<String>(), text);
        assert_eq!(tokens[2], Token { text: "'it''s'", kind: Kind::Text { open: false } });
        assert_eq!(tokens.last().unwrap().kind, Kind::Comment { open: true });
    }

    #[test]
    fn a_statement_is_complete_at_its_semicolon() {
        for complete in ["SELECT 1;", "\\d", "", "SELECT ';';  -- done", "SELECT 1; -- ;"] {
            assert!(is_complete(complete), "{complete}");
        }
        for incomplete in ["SELECT 1", "SELECT ';", "SELECT 1 -- ;", "SELECT 1; /* "] {
            assert!(!is_complete(incomplete), "{incomplete}");
        }
    }

    #[test]
    fn colours_change_no_character() {
        let highlighter = SqlHighlighter::new(Arc::new(RwLock::new(Vocabulary::new())), true);
        let line = "SELECT count(*) FROM é.ü WHERE a = 'ß';";
        assert_eq!(highlighter.highlight(line, 0).raw_string(), line);
        assert_ne!(highlighter.highlight(line, 0).render_simple(), line);
    }
}
