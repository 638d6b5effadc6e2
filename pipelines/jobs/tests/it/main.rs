//! Pipelines on a real engine, lake and catalog.

mod checks;
mod lab;
mod recipes;
mod resume;
mod run;
