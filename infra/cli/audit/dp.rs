//! `causeway audit dp`: are the privacy mechanisms as private as they say?

use causeway_all::privacy_audit::{Attack, LowerBound, PAIRS, Pair, attack};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::AuditDpOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::terminal::print;

/// Attacks one operator, or all, on the pair of tables on which it is most easily attacked.
pub(super) fn dp(app: &App, options: &AuditDpOptions) -> Result<Exit, Failure> {
    let attacked: Vec<&Pair> =
        PAIRS.iter().filter(|pair| options.operator.as_deref().is_none_or(|name| name == name_of(pair))).collect();
    if attacked.is_empty() {
        let names: Vec<&str> = PAIRS.iter().map(name_of).collect();
        let given = options.operator.as_deref().unwrap_or_default();
        let error = Failure::usage(format!("`{given}` is no privacy mechanism with a pair of tables"));
        return Err(match causeway_core::nearest(given, names.iter().copied()) {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => error.with_hint(format!("there are {}", names.join(", "))),
        });
    }
    let how = Attack { runs: options.runs, confidence: options.confidence, delta: 0.0 };
    let mut found = Vec::new();
    for pair in attacked {
        app.terminal.note(&format!("attacking {} with {} runs a table", described(pair), options.runs));
        let bound =
            attack(pair, options.epsilon, how).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        found.push((pair, bound));
    }
    let broken = found.iter().any(|(pair, bound)| pair.is_sound && bound.epsilon > options.epsilon);
    let told = if app.terminal.json {
        format!("{}\n", found.iter().map(|(pair, bound)| fact(pair, bound, options.epsilon)).collect::<Value>())
    } else {
        format!("{}\n", table(&found, options.epsilon))
    };
    print(&told)?;
    Ok(if broken { Exit::Failed } else { Exit::Ok })
}

fn name_of(pair: &Pair) -> &'static str {
    pair.factory.spec().name
}

fn described(pair: &Pair) -> String {
    if pair.is_sound { name_of(pair).to_owned() } else { format!("{} (published)", name_of(pair)) }
}

fn verdict(pair: &Pair, bound: &LowerBound, epsilon: f64) -> &'static str {
    match (pair.is_sound, bound.epsilon > epsilon) {
        (true, false) => "kept",
        (true, true) => "BROKEN",
        (false, true) => "no guarantee, as it says: leaks more",
        (false, false) => "no guarantee; this attack does not show it",
    }
}

fn table(found: &[(&Pair, LowerBound)], epsilon: f64) -> Grid {
    let mut grid = Grid::new(&["operator", "claimed epsilon", "at least", "claim"]).right([1, 2]);
    for (pair, bound) in found {
        grid.row([
            described(pair),
            epsilon.to_string(),
            format!("{:.3}", bound.epsilon),
            verdict(pair, bound, epsilon).to_owned(),
        ]);
    }
    grid
}

fn fact(pair: &Pair, bound: &LowerBound, epsilon: f64) -> Value {
    json!({
        "operator": name_of(pair), "is_sound": pair.is_sound, "epsilon": epsilon, "lower_bound": bound.epsilon,
        "threshold": bound.threshold, "claim": verdict(pair, bound, epsilon),
    })
}
