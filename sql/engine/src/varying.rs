//! What in a statement's text gives another result each time it is run.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use datafusion::functions::all_default_functions;
use datafusion::logical_expr::Volatility;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

/// Instants that SQL writes without parentheses.
const BARE: [&str; 5] = ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// The scalar functions that are not a function of their arguments alone.
static CHANGING: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let changing = all_default_functions().into_iter().filter(|function| {
        let volatility = function.signature().volatility;
        // `to_timestamp` and its kind are stable only because of the session's time zone, which is UTC.
        volatility == Volatility::Volatile || (volatility == Volatility::Stable && takes_nothing(function.name()))
    });
    changing
        .flat_map(|function| function.aliases().iter().cloned().chain([function.name().to_owned()]).collect::<Vec<_>>())
        .collect()
});

fn takes_nothing(name: &str) -> bool {
    matches!(name, "now" | "current_date" | "current_time" | "current_timestamp" | "today")
}

/// Lists what makes a statement's result another one each time: calls such as `random()` and `now()`,
/// and tables of the schema `system`, which grow. Texts and comments do not count.
///
/// ```
/// assert_eq!(causeway_engine::varying("SELECT random(), 'now()' -- uuid()"), ["random()"]);
/// assert_eq!(causeway_engine::varying("SELECT * FROM system.runs WHERE started_at < Now()"), ["now()", "system.runs"]);
/// ```
pub fn varying(sql: &str) -> Vec<String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().unwrap_or_default();
    let tokens: Vec<Token> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let at = |index: usize| tokens.get(index);
    let mut found = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let name = folded(word);
        match at(index + 1) {
            _ if index > 0 && at(index - 1) == Some(&Token::Period) => {}
            Some(Token::LParen) if CHANGING.contains(&name) => {
                found.insert(format!("{name}()"));
            }
            Some(Token::Period) if name == "system" => {
                let table = at(index + 2).and_then(|token| match token {
                    Token::Word(table) => Some(folded(table)),
                    _ => None,
                });
                found.extend(table.map(|table| format!("system.{table}")));
            }
            _ if word.quote_style.is_none() && BARE.contains(&name.as_str()) => {
                found.insert(name);
            }
            _ => {}
        }
    }
    found.into_iter().collect()
}

/// Returns a name as SQL means it: lower case unless quoted.
fn folded(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::varying;

    #[test]
    fn clocks_and_dice_are_found_and_plain_functions_are_not() {
        assert_eq!(varying("SELECT uuid(), RANDOM() * 2, now() - interval '1 day'"), ["now()", "random()", "uuid()"]);
        assert_eq!(varying("SELECT CURRENT_DATE, \"current_date\" FROM t"), ["current_date"]);
        assert!(varying("SELECT abs(x), to_timestamp(y), t.now, sum(random) FROM t /* random() */").is_empty());
    }

    #[test]
    fn tables_of_the_record_are_found() {
        assert_eq!(varying("COPY (SELECT * FROM system.steps) TO 'a.csv'"), ["system.steps"]);
        assert!(varying("SELECT system FROM a.system").is_empty());
    }
}
