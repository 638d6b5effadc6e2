//! The options of `dp_kaplan_meier`.

use causeway_core::{Literals, OperatorError, PrivacyCost, Result, Roles};

use super::SPEC;
use super::published::{Clip, Points, Published, Schedule};
use crate::histogram::{Bands, Release};

/// Options that only the published heuristic has.
const OF_PUBLISHED: [&str; 4] = ["schedule", "window", "clip", "points"];

/// Checked options.
#[derive(Debug)]
pub(super) struct DpKaplanMeier {
    pub(super) release: Release,
    pub(super) bands: Bands,
    pub(super) log_rank: bool,
    /// None for the sound mechanism.
    pub(super) published: Option<Published>,
}

impl DpKaplanMeier {
    pub(super) fn new(literals: &Literals, roles: &Roles) -> Result<Self> {
        let release = Release::new(SPEC.name, 1, literals, roles)?;
        let log_rank = literals.boolean("log_rank");
        if log_rank && release.strata.len() < 2 {
            return Err(refused("log_rank", "false unless `strata_values` list two strata at least", "true"));
        }
        let published = match literals.text("mechanism") {
            Some("published") => Some(published(literals, roles, log_rank)?),
            _ => {
                refuse_options_of_published(literals)?;
                None
            }
        };
        Ok(Self { bands: Bands::from_literals(SPEC.name, literals)?, log_rank, published, release })
    }

    /// Returns the cost: that of the histogram, or the honest worst case of the heuristic.
    pub(super) fn cost(&self) -> PrivacyCost {
        let cost = self.release.cost();
        match &self.published {
            None => cost,
            Some(published) => published.cost(self.release.epsilon, self.release.grid.n_bins, cost),
        }
    }
}

fn published(literals: &Literals, roles: &Roles, log_rank: bool) -> Result<Published> {
    if roles.column("unit").is_some() {
        return Err(refused(
            "mechanism",
            "'counts' where a column plays `unit`: the published heuristic knows rows alone",
            "'published'",
        ));
    }
    if log_rank {
        return Err(refused("log_rank", "false with mechanism 'published', which releases no counts", "true"));
    }
    let window = literals.integer("window").map_or(Some(5), |window| usize::try_from(window).ok());
    let window = window.filter(|window| window % 2 == 1);
    Ok(Published {
        schedule: match literals.text("schedule") {
            Some("harmonic") => Schedule::Harmonic,
            Some("square_root") => Schedule::SquareRoot,
            Some("constant") => Schedule::Constant,
            Some("global") => Schedule::Global,
            _ => Schedule::Linear,
        },
        window: window.ok_or_else(|| refused("window", "odd", "an even number"))?,
        clip: if literals.text("clip") == Some("isotonic") { Clip::Isotonic } else { Clip::RunningMinimum },
        points: if literals.text("points") == Some("observed") { Points::Observed } else { Points::Public },
    })
}

fn refuse_options_of_published(literals: &Literals) -> Result<()> {
    let given = OF_PUBLISHED.iter().find_map(|name| literals.get(name).map(|value| (*name, value.to_string())));
    match given {
        None => Ok(()),
        Some((name, value)) => Err(refused(name, "left out unless mechanism is 'published'", &value)),
    }
}

fn refused(name: &str, range: &str, value: &str) -> OperatorError {
    OperatorError::Parameter {
        operator: SPEC.name,
        name: name.to_owned(),
        range: range.to_owned(),
        value: value.to_owned(),
    }
}
