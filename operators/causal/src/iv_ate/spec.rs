//! The description of `iv_ate`, parts of which `iv_selection` shares.

use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OutputType, Parameter, ParameterKind, PrivacyClaim, Spec,
    Transformation,
};

use super::params;
use crate::iv::options as shared;

const fn covariates(role: &'static str, meaning: &'static str) -> ColumnRole {
    ColumnRole { role, kind: ColumnType::Any, required: false, several: true, meaning, ..shared::COVARIATES }
}

const ROWS: InputSpec = InputSpec {
    name: "rows",
    summary: "one row for each person",
    required: true,
    columns: &[
        shared::OUTCOME,
        shared::TREATMENT,
        shared::INSTRUMENT,
        shared::COVARIATES,
        shared::KEY,
        shared::FOLD,
        covariates(
            "instrument_covariates",
            "with 'mr': numbers in the model of the instrument (pi); `covariates` if not given",
        ),
        covariates(
            "treatment_covariates",
            "with 'mr': numbers in the model of the treatment (p); `covariates` if not given",
        ),
        covariates(
            "outcome_covariates",
            "with 'mr': numbers in the model of the outcome (h); `covariates` if not given",
        ),
        covariates(
            "confounding_covariates",
            "with 'mr': numbers in the model of the confounding (rho); `covariates` if not given",
        ),
        covariates(
            "effect_modifiers",
            "with 'mr': numbers in the model of the effect (beta); `covariates` if not given",
        ),
    ],
};

/// What every number of the output is computed from.
pub(crate) const FROM_ALL: &[(&str, Transformation)] = &[
    ("outcome", Transformation::Aggregation),
    ("treatment", Transformation::Aggregation),
    ("instrument", Transformation::Aggregation),
    ("covariates", Transformation::Aggregation),
    ("instrument_covariates", Transformation::Aggregation),
    ("treatment_covariates", Transformation::Aggregation),
    ("outcome_covariates", Transformation::Aggregation),
    ("confounding_covariates", Transformation::Aggregation),
    ("effect_modifiers", Transformation::Aggregation),
    ("folds", Transformation::Aggregation),
];

pub(super) static SPEC: Spec = Spec {
    name: "iv_ate",
    family: "causal",
    version: 1,
    summary: "Average effect of a treatment by an instrument that may act on the outcome itself.",
    details: "
With outcome Y, treatment A (0 or 1), instrument Z (0 or 1) and covariates X, write C_z(X) = Cov(A, Y | Z=z, X),
V_z(X) = Var(A | Z=z, X), D(X) = V_1 - V_0, and

    beta(X) = (C_1(X) - C_0(X)) / D(X),   ate = E[beta(X)].

**What identifies it.** beta(X) is the effect of A given X if confounding is *stable*: Cov(A, Y - beta(X) A | Z=z, X) is the same
for z = 0 and z = 1. That holds if Z is as good as random given X, and the unmeasured causes U act on Y neither together
with A nor with Z, and on the probability of A not together with Z (no interaction on the additive scale). Z may act on Y
directly and in any way: the exclusion restriction is *not* assumed. What is needed of Z is that it changes the variance of A:
with p_z = P(A=1 | Z=z, X), D = p_1(1 - p_1) - p_0(1 - p_0) is 0 also where p_1 + p_0 = 1, which a first-stage F does not show.
The setting is that of Sun, Cui and Tchetgen Tchetgen (2022); the derivation used here is our own, so it is an estimator for
their setting and may differ from theirs in form. None of these conditions can be seen in the data.

**Estimators.** All solve the influence function: with f = P(Z | X), h = E[Y - beta A | Z, X], rho = C_z - beta V_z,

    beta + (2Z - 1) / (f D) ((A - p)(Y - beta A - h) - rho) - ate.

'mr': pi and p by logits (p with products of Z and covariates), then beta, h and rho, linear, from one system:
sum s e = 0, sum r (R e - rho) = 0, sum b (2Z-1)/f (R e - rho) = 0, where R = A - p, e = Y - beta A - h and s, r, b are the
terms of h, rho, beta. Right in large samples if pi and p are, or if beta is and of each pair (pi, rho), (p, h) at least one. `std_error`
is the sandwich of all equations stacked; `std_error_influence` treats the models as known. Each model may have covariates of
its own (`instrument_covariates`, …, `effect_modifiers`).

'dml': pi, p_z, m_z = E[Y | Z=z, X] and C_z by learners, each row predicted by fits to the other folds; C_z is learned from products of
residuals (A - p)(Y - m) within the fit, for trees from residuals by other rows. `repeats` => r gives the median over r
divisions; its variance is the median of v + (estimate_r - estimate)^2.

'selective': every nuisance has the candidates `learners`; the tuple with the smallest pseudo-risk is taken: the sum over the four
nuisances of the largest mean squared change, over folds, when only that learner is exchanged. `iv_selection` shows all
tuples. Because of the robustness a poor learner of one nuisance may be chosen where it does no harm. Where all candidates are
wrong, so is the estimate, however narrow its interval.

**Rows.** `ate`; `plug_in`, the mean of beta(X) alone; `effect_modifier:…`, the change of beta for one unit ('mr'); `two_stage_least_squares` with the
same covariates; `exclusion_contrast`, the difference, with the error of both together: given stable confounding and an effect
that does not vary it tests the exclusion restriction (Hausman's idea). Then numbers without errors: `min_abs_d`,
`abs_d_q05`, `abs_d_median` of |D(X)|; `weight_median`, `weight_q95`, `weight_max` of 1/(f |D|); `share_weak`, rows with |D| < `min_d`;
`share_clipped`; `rmse_…` of each learned nuisance at rows held out. `note` warns in words.

**Beware.** With one-sided non-compliance (nobody treated with Z = 0, as in the 401(k) data, where nobody takes part without being eligible)
V_0 = C_0 = 0: stable confounding then means no confounding, and the estimate is the adjusted contrast among those with Z = 1. The
call runs and says so. Where |D| is small in many rows the mean explodes: the call is refused if it is below `min_d` in more than
`weak_share` of the rows. With binary A the confounding that the conditions allow is modest, since p plus what U adds must
remain a probability.

Refused: null, NaN and infinite numbers (or dropped, `missing => 'drop'`), a constant treatment or instrument, constant or
collinear covariates and perfect separation with linear models, fewer rows than coefficients, folds without an arm.
The result does not depend on the number of threads, nor, with a unique `key`, on the order of the rows.",
    inputs: &[ROWS],
    parameters: &[
        Parameter {
            name: "estimator",
            kind: ParameterKind::Choice(&["mr", "dml", "selective"]),
            default: Some("'mr'"),
            unit: "",
            meaning: "linear models, learners, or learners chosen by their pseudo-risk",
        },
        params::MIN_D,
        params::WEAK_SHARE,
        params::LEARNER,
        params::INSTRUMENT_LEARNER,
        params::TREATMENT_LEARNER,
        params::OUTCOME_LEARNER,
        params::CONFOUNDING_LEARNER,
        params::CANDIDATES,
        shared::FOLDS,
        shared::REPEATS,
        shared::CLIP,
        shared::CONFIDENCE,
        shared::MISSING,
        shared::SEED,
        shared::TREES,
        shared::DEPTH,
        shared::MIN_LEAF,
        shared::TRIED,
        shared::LEARNING_RATE,
        shared::PENALTY,
        shared::L1_RATIO,
    ],
    output: &[
        ColumnSpec {
            name: "term",
            kind: OutputType::Utf8,
            nullable: false,
            unit: "",
            meaning: "what the row is of",
            from: &[("covariates", Transformation::Identity)],
        },
        number("estimate", "of `outcome`", "the number; for diagnostics without unit"),
        number("std_error", "as `estimate`", "null for numbers without an error"),
        number("statistic", "", "estimate / std_error"),
        number("p_value", "probability", "two-sided, of the standard normal distribution"),
        number("conf_low", "as `estimate`", "lower end of the interval"),
        number("conf_high", "as `estimate`", "upper end"),
        ColumnSpec {
            name: "n_used",
            kind: OutputType::UInt64,
            nullable: false,
            unit: "rows",
            meaning: "rows without a missing number",
            from: FROM_ALL,
        },
        number("std_error_influence", "as `estimate`", "of `ate`: by the influence function alone; null elsewhere"),
        ColumnSpec {
            name: "note",
            kind: OutputType::Utf8,
            nullable: true,
            unit: "",
            meaning: "warnings and what the row means; null if there is nothing to say",
            from: FROM_ALL,
        },
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "setting of Sun, Cui and Tchetgen Tchetgen 2022, own derivation; Cui and Tchetgen Tchetgen 2024 (selection); Hausman 1978 (contrast)",
    example: "SELECT * FROM iv_ate((SELECT * FROM clinical.cohort), outcome => 'y', treatment => 'a', instrument => 'z', covariates => ARRAY['age', 'sex'])",
};

/// A column of numbers that may be null.
pub(crate) const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit, meaning, from: FROM_ALL }
}
