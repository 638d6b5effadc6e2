//! The first gate: a statement that is too long, too deep or too long-chained is refused before it
//! is parsed, because recursive planners would run out of stack on it.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::error::{EngineError, ErrorKind, Result};

/// The longest chain of operators (`a + b + …`, `p OR q OR …`) accepted, all open brackets together. A
/// chain is a tree as deep as it is long.
const MAX_CHAIN: usize = 500;

/// The most relations that one statement may join or unite.
const MAX_RELATIONS: usize = 200;

/// The most subqueries within each other, those right in FROM not counted: planning takes nearly twice as long
/// for each of them.
const MAX_SUBQUERIES: usize = 12;

/// Size limits of a statement.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest text, in bytes.
    pub max_bytes: usize,
    /// The deepest nesting of parentheses, brackets and CASE.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 1 << 20, max_depth: 64 }
    }
}

/// Cuts the text into tokens and checks its size and depth.
pub(crate) fn tokens(sql: &str, limits: &Limits) -> Result<Vec<TokenWithSpan>> {
    if sql.len() > limits.max_bytes {
        let problem = format!("the statement has {} bytes; the limit is {}", sql.len(), limits.max_bytes);
        return Err(EngineError::new(ErrorKind::TooComplex, problem)
            .with_hint("load long lists as a table and join it, or raise limits.max_statement_bytes"));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().map_err(|error| {
        EngineError::new(ErrorKind::Syntax, error.message).at(error.location.line, error.location.column)
    })?;
    check_nesting(&tokens, limits)?;
    check_parameter_names(&tokens)?;
    Ok(tokens)
}

/// Refuses `:"name"`: between quotes could stand what is no name.
fn check_parameter_names(tokens: &[TokenWithSpan]) -> Result<()> {
    let quoted = tokens.windows(2).find(|pair| {
        pair[0].token == Token::Colon && matches!(&pair[1].token, Token::Word(word) if word.quote_style.is_some())
    });
    match quoted {
        Some(pair) => {
            let start = pair[0].span.start;
            let error = EngineError::new(ErrorKind::Syntax, "the name of a parameter stands without quotes: `:name`");
            Err(error.at(start.line, start.column))
        }
        None => Ok(()),
    }
}

/// Counts open brackets, for each of them the operators since the last comma, and what joins
/// relations in the whole statement.
fn check_nesting(tokens: &[TokenWithSpan], limits: &Limits) -> Result<()> {
    let mut nesting = Nesting { levels: vec![Level::default()], relations: 0 };
    for token in tokens {
        nesting.read(&token.token);
        if let Some(problem) = nesting.problem(limits) {
            let start = token.span.start;
            return Err(too_complex(problem).at(start.line, start.column));
        }
    }
    Ok(())
}

/// One open bracket.
#[derive(Default)]
struct Level {
    chain: usize,
    in_from: bool,
    /// True if it holds a query that does not stand in FROM.
    is_subquery: bool,
}

struct Nesting {
    levels: Vec<Level>,
    relations: usize,
}

impl Nesting {
    fn read(&mut self, token: &Token) {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => self.levels.push(Level::default()),
            Token::RParen | Token::RBracket | Token::RBrace => self.close(),
            Token::Comma => self.comma(),
            Token::SemiColon => *self = Self { levels: vec![Level::default()], relations: 0 },
            Token::Word(word) => self.keyword(word.keyword),
            other if is_operator(other) => self.chain(),
            _ => {}
        }
    }

    fn keyword(&mut self, keyword: Keyword) {
        match keyword {
            Keyword::CASE => self.levels.push(Level::default()),
            Keyword::END => self.close(),
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN => {
                self.relations += 1;
                self.set_from(keyword == Keyword::JOIN);
            }
            Keyword::FROM => self.set_from(true),
            Keyword::SELECT => {
                self.set_from(false);
                self.subquery();
            }
            Keyword::WHERE | Keyword::GROUP | Keyword::ORDER | Keyword::HAVING | Keyword::LIMIT => {
                self.set_from(false);
            }
            Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::BETWEEN
            | Keyword::IS
            | Keyword::COLLATE
            | Keyword::EXPLAIN => self.chain(),
            _ => {}
        }
    }

    fn comma(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.chain = 0;
            self.relations += usize::from(level.in_from);
        }
    }

    fn chain(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.chain += 1;
        }
    }

    fn set_from(&mut self, in_from: bool) {
        if let Some(level) = self.levels.last_mut() {
            level.in_from = in_from;
        }
    }

    fn subquery(&mut self) {
        if let [.., outer, level] = self.levels.as_mut_slice() {
            level.is_subquery = !outer.in_from;
        }
    }

    fn close(&mut self) {
        if self.levels.len() > 1 {
            self.levels.pop();
        }
    }

    fn problem(&self, limits: &Limits) -> Option<String> {
        if self.levels.len() > limits.max_depth {
            return Some(format!("nested deeper than {}", limits.max_depth));
        }
        if self.relations > MAX_RELATIONS {
            return Some(format!("more than {MAX_RELATIONS} joined or united relations"));
        }
        if self.levels.iter().filter(|level| level.is_subquery).count() > MAX_SUBQUERIES {
            return Some(format!("more than {MAX_SUBQUERIES} subqueries within each other"));
        }
        let depth: usize = self.levels.iter().map(|level| level.chain).sum();
        (depth > MAX_CHAIN).then(|| format!("a chain of more than {MAX_CHAIN} operators"))
    }
}

/// The refusal of a statement that is too much for a planner.
pub(crate) fn too_complex(problem: String) -> EngineError {
    EngineError::new(ErrorKind::TooComplex, format!("the statement is too complex: {problem}"))
        .with_hint("use IN (…) instead of a chain of OR, or put the values into a table and join it")
}

fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::Whitespace(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Period
            | Token::Colon
            | Token::EOF
            | Token::Placeholder(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sql: &str) -> Option<&'static str> {
        tokens(sql, &Limits::default()).err().map(|error| error.code())
    }

    #[test]
    fn ordinary_statements_pass() {
        assert_eq!(code("SELECT a + b, CASE WHEN x THEN 1 ELSE 2 END FROM t WHERE a IN (1, 2, 3) AND b OR c"), None);
        let list = (0..5000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        assert_eq!(code(&format!("SELECT * FROM t WHERE a IN ({list})")), None);
    }

    #[test]
    fn a_parameter_is_not_quoted() {
        assert_eq!(code("SELECT :x, a::\"date\", ':\"x\"'"), None);
        assert_eq!(code("SELECT :\"x) OR (1 = 1\""), Some("CW0101"));
    }

    #[test]
    fn chains_nesting_and_length_are_refused() {
        assert_eq!(code(&format!("SELECT 1{}", " + 1".repeat(1000))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT {}1{}", "(".repeat(100), ")".repeat(100))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT {}1", "- ".repeat(1000))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1000))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT 1, 1{}", " UNION ALL SELECT 1, 1".repeat(1000))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT * FROM t{}", ", t".repeat(1000))), Some("CW0102"));
        assert_eq!(
            code(&format!("SELECT {}1{}", "(1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + ".repeat(60), ")".repeat(60))),
            Some("CW0102")
        );
        assert_eq!(code(&" ".repeat(2 << 20)), Some("CW0102"));
        let scalar = |depth: usize| format!("SELECT {}1{}", "(SELECT ".repeat(depth), ")".repeat(depth));
        assert_eq!((code(&scalar(12)), code(&scalar(13))), (None, Some("CW0102")));
        let exists = format!("SELECT 1 WHERE {}true{}", "EXISTS (SELECT 1 WHERE ".repeat(13), ")".repeat(13));
        assert_eq!(code(&exists), Some("CW0102"));
        let derived = format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(40), ") AS t".repeat(40));
        assert_eq!(code(&derived), None);
    }
}
