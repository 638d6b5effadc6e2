//! Completion: what could stand where the cursor is.

use std::sync::{Arc, RwLock};

use reedline::{Completer, Span, Suggestion};

use super::commands::COMMANDS;
use super::syntax::{Kind, Token, tokens};
use super::vocabulary::{KEYWORDS, Vocabulary, Word, choices, options};

/// Completes words of SQL, names of the lake and options of operators.
pub(super) struct SqlCompleter(Arc<RwLock<Vocabulary>>);

impl SqlCompleter {
    pub(super) fn new(vocabulary: Arc<RwLock<Vocabulary>>) -> Self {
        Self(vocabulary)
    }
}

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, position: usize) -> Vec<Suggestion> {
        let before = line.get(..position).unwrap_or(line);
        let start = word_start(before);
        let words = match self.0.read() {
            Ok(vocabulary) => candidates(&vocabulary, line, before, start),
            Err(_) => Vec::new(),
        };
        let suggestion = |word: Word| Suggestion {
            append_whitespace: false,
            value: word.text,
            description: Some(word.note),
            span: Span::new(start, position.max(start)),
            ..Suggestion::default()
        };
        words.into_iter().map(suggestion).collect()
    }
}

/// Returns where the word before the cursor begins; a qualified name is one word.
fn word_start(before: &str) -> usize {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '\\' | '\'');
    before
        .char_indices()
        .rev()
        .take_while(|(_, character)| is_part(*character))
        .last()
        .map_or(before.len(), |(at, _)| at)
}

fn candidates(vocabulary: &Vocabulary, line: &str, before: &str, start: usize) -> Vec<Word> {
    let word = &before[start..];
    if before.starts_with('\\') {
        return command_words(vocabulary, before, word);
    }
    let place = Place::of(&before[..start]);
    let mut words = Vec::new();
    if let Place::Call { operator, option } = &place {
        let fitting = option.as_ref().map_or_else(|| options(operator), |option| choices(operator, option));
        words.extend(matching(fitting.into_iter(), word));
    }
    if let Place::Relation = place {
        words.extend(matching(vocabulary.tables().map(|table| table.name.clone()), word));
        words.extend(matching(vocabulary.functions().iter().cloned(), word).filter(|_| !word.is_empty()));
        return words;
    }
    words.extend(matching(columns(vocabulary, line), word));
    if word.is_empty() {
        return words;
    }
    words.extend(matching(vocabulary.functions().iter().cloned(), word));
    words.extend(matching(vocabulary.tables().map(|table| table.name.clone()), word));
    words.extend(matching(KEYWORDS.iter().map(|keyword| in_case_of(keyword, word)), word));
    words
}

fn command_words(vocabulary: &Vocabulary, before: &str, word: &str) -> Vec<Word> {
    if before.contains(' ') {
        return matching(vocabulary.tables().map(|table| table.name.clone()), word).collect();
    }
    let commands =
        COMMANDS.iter().map(|command| Word { text: command.name.to_owned(), note: command.summary.to_owned() });
    matching(commands, word).collect()
}

/// Writes a keyword in the case that the user types.
fn in_case_of(keyword: &str, typed: &str) -> Word {
    let lower = typed.chars().any(char::is_lowercase);
    Word { text: if lower { keyword.to_lowercase() } else { keyword.to_owned() }, note: "keyword".to_owned() }
}

fn matching<'a>(words: impl Iterator<Item = Word> + 'a, typed: &'a str) -> impl Iterator<Item = Word> + 'a {
    let typed = typed.to_lowercase();
    words.filter(move |word| {
        let text = word.text.to_lowercase();
        // `lung` finds `clinical.lung` too.
        text.starts_with(&typed) || text.split_once('.').is_some_and(|(_, table)| table.starts_with(&typed))
    })
}

/// Returns the columns of the tables that the statement names, of all tables if it names none.
fn columns(vocabulary: &Vocabulary, line: &str) -> impl Iterator<Item = Word> {
    let is_named = |name: &str| line.to_lowercase().contains(&name.to_lowercase());
    let named: Vec<_> = vocabulary.tables().filter(|table| is_named(&table.name.text)).collect();
    let tables = if named.is_empty() { vocabulary.names.iter().collect() } else { named };
    let mut words: Vec<Word> = Vec::new();
    for column in tables.into_iter().flat_map(|table| &table.columns) {
        if words.iter().all(|known| known.text != column.text) {
            words.push(column.clone());
        }
    }
    words.into_iter()
}

/// What the text before a word says about the word.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// After FROM or JOIN.
    Relation,
    /// Among the arguments of an operator; after `option =>`, its value.
    Call { operator: String, option: Option<String> },
    /// Elsewhere.
    Anywhere,
}

impl Place {
    fn of(before: &str) -> Self {
        let tokens: Vec<Token<'_>> = tokens(before).into_iter().filter(|token| token.kind != Kind::Space).collect();
        let last = tokens.last().map(|token| token.text.to_uppercase());
        if last.is_some_and(|last| ["FROM", "JOIN", "INTO", "TABLE", "UPDATE"].contains(&last.as_str())) {
            return Self::Relation;
        }
        let Some(open) = open_call(&tokens) else { return Self::Anywhere };
        let option = match tokens.as_slice() {
            [.., name, equals, greater] if equals.text == "=" && greater.text == ">" => Some(name.text.to_owned()),
            _ => None,
        };
        Self::Call { operator: open.to_owned(), option }
    }
}

/// Returns the name before the innermost parenthesis that is open.
fn open_call<'a>(tokens: &[Token<'a>]) -> Option<&'a str> {
    let mut closed = 0;
    for (index, token) in tokens.iter().enumerate().rev() {
        match token.text {
            ")" => closed += 1,
            "(" if closed > 0 => closed -= 1,
            "(" => return index.checked_sub(1).map(|name| tokens[name].text),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::Table;
    use super::*;

    fn complete(line: &str) -> Vec<String> {
        let word = |text: &str| Word { text: text.to_owned(), note: String::new() };
        let mut vocabulary = Vocabulary::new();
        vocabulary.names = vec![
            Table { name: word("clinical.lung"), columns: vec![word("time"), word("status"), word("sex")] },
            Table { name: word("traffic.loops"), columns: vec![word("speed"), word("station")] },
        ];
        let mut completer = SqlCompleter::new(Arc::new(RwLock::new(vocabulary)));
        completer.complete(line, line.len()).into_iter().map(|suggestion| suggestion.value).collect()
    }

    #[test]
    fn tables_come_after_from_by_schema_or_by_name() {
        assert_eq!(complete("SELECT * FROM clin"), ["clinical.lung"]);
        assert_eq!(complete("SELECT * FROM lun"), ["clinical.lung"]);
        assert!(complete("select * from system.r").contains(&"system.runs".to_owned()));
    }

    #[test]
    fn columns_are_those_of_the_tables_named() {
        let found = complete("SELECT time FROM clinical.lung WHERE s");
        assert_eq!(&found[..2], ["status", "sex"]);
        assert!(!found.contains(&"speed".to_owned()));
        assert!(complete("SELECT sp").contains(&"speed".to_owned()));
    }

    #[test]
    fn keywords_follow_the_case_of_the_user() {
        assert!(complete("sel").contains(&"select".to_owned()));
        assert!(complete("SEL").contains(&"SELECT".to_owned()));
    }

    #[test]
    fn places_inside_calls_are_seen() {
        let call =
            |option: Option<&str>| Place::Call { operator: "log_rank".to_owned(), option: option.map(str::to_owned) };
        assert_eq!(Place::of("SELECT * FROM log_rank((SELECT 1), "), call(None));
        assert_eq!(Place::of("SELECT * FROM log_rank((SELECT 1), weights => "), call(Some("weights")));
        assert_eq!(Place::of("SELECT * FROM log_rank((SELECT 1)) WHERE "), Place::Anywhere);
    }

    #[test]
    fn commands_complete_by_name_and_then_by_table() {
        assert!(complete("\\op").contains(&"\\ops".to_owned()));
        assert_eq!(complete("\\d clin"), ["clinical.lung"]);
    }
}
